package ledger

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"tributary/shared/job"
	"tributary/shared/tree"
)

// Validate reports, as job.ErrInvalid, a layout that addresses no ledger: a
// reference that is empty or would be misread inside a key, a negative number
// of parameters, an empty chunk, or a tree of no allowed size.
func (l Layout) Validate() error {
	ref := l.Ref.String()
	switch {
	case l.Job == "" || l.Run == "" || strings.ContainsAny(ref, "{}:*?[]\\ \r\n") || len(ref) > 256:
		return fmt.Errorf("ledger of %.80q: want a job and a run, at most 256 bytes, without any of '{}:*?[]\\' and spaces: %w", ref, job.ErrInvalid)
	case l.Params < 0:
		return fmt.Errorf("ledger of %s: %d parameters: want 0 or more: %w", ref, l.Params, job.ErrInvalid)
	case l.ChunkLen < 1:
		return fmt.Errorf("ledger of %s: chunks of %d parameters: want 1 or more: %w", ref, l.ChunkLen, job.ErrInvalid)
	case l.Microbatch < 1 || l.Microbatch > tree.MaxLeaves:
		return fmt.Errorf("ledger of %s: %d micro-batches: want 1 to %d: %w", ref, l.Microbatch, tree.MaxLeaves, job.ErrInvalid)
	}
	if err := l.Wire.Validate(); err != nil {
		return fmt.Errorf("ledger of %s: %w", ref, err)
	}
	return nil
}

// CheckDelete reports a layout whose ledger cannot be deleted. Its chunks may be unknown.
func (l Layout) CheckDelete() error {
	if l.ChunkLen == 0 {
		l = Layout{Ref: l.Ref, ChunkLen: 1, Microbatch: 1}
	}
	return l.Validate()
}

// CheckStep reports an invalid layout or step.
func (l Layout) CheckStep(step int64) error {
	if err := l.Validate(); err != nil {
		return err
	}
	if step < 0 {
		return fmt.Errorf("step %d: want 0 or more: %w", step, job.ErrInvalid)
	}
	return nil
}

// CheckNode reports a node that the layout's tree does not have.
func (l Layout) CheckNode(n tree.Node) error {
	if _, _, ok := n.Leaves(l.Microbatch); !ok {
		return fmt.Errorf("node %d: a tree of %d micro-batches has none such: %w", n, l.Microbatch, job.ErrInvalid)
	}
	return nil
}

// CheckVector reports a vector, called name, that is not [P].
func (l Layout) CheckVector(name string, v []float32) error {
	if len(v) != l.Params {
		return fmt.Errorf("%s of %d floats: want the layout's %d: %w", name, len(v), l.Params, job.ErrInvalid)
	}
	return nil
}

// CheckChunks reports an invalid layout, or chunks that are not strictly increasing numbers of
// chunks of the layout, at least one.
func (l Layout) CheckChunks(chunks []int) error {
	if err := l.Validate(); err != nil {
		return err
	}
	if len(chunks) == 0 {
		return fmt.Errorf("no chunks: want at least one of %d: %w", l.Chunks(), job.ErrInvalid)
	}
	last := -1
	for _, c := range chunks {
		if c <= last || c >= l.Chunks() {
			return fmt.Errorf("chunk %d after chunk %d: want increasing numbers below %d: %w", c, last, l.Chunks(), job.ErrInvalid)
		}
		last = c
	}
	return nil
}

// Vectors returns how many vectors a snapshot has of a job of which n are folded: one
// more, the residual, of a lossy wire.
func (l Layout) Vectors(n int) int {
	if l.Wire.Lossy() {
		return n + 1
	}
	return n
}

// CheckResidual reports the residual of a root that is not [P] of a lossy wire, or not
// nil of another.
func (l Layout) CheckResidual(v []float32) error {
	if !l.Wire.Lossy() {
		if v != nil {
			return fmt.Errorf("residual of %d floats: want none with a wire that loses nothing: %w", len(v), job.ErrInvalid)
		}
		return nil
	}
	return l.CheckVector("residual", v)
}

// CheckRead reports what a read of the residual cannot be asked for.
func (l Layout) CheckRead(step int64, chunks []int, dst []float32, before Chain) error {
	err := cmp.Or(l.CheckStep(step), l.CheckChunks(chunks), l.CheckVector("destination", dst), l.CheckChain(before))
	if err == nil && !l.Wire.Lossy() {
		err = fmt.Errorf("residual of %s: its wire loses nothing: %w", l.Ref, job.ErrInvalid)
	}
	return err
}

// CheckLeap reports an invalid layout, range of steps, or snapshot of a leap.
func (l Layout) CheckLeap(from int64, sums []Sums, s Snapshot) error {
	if err := cmp.Or(l.CheckStep(from), l.CheckSnapshot(s.Step, s.Vectors), l.CheckChain(s.Chain)); err != nil {
		return err
	}
	if l.Wire.Lossy() {
		return fmt.Errorf("leap of %s: its wire loses something: %w", l.Ref, job.ErrInvalid)
	}
	if n := s.Step - from; n < 1 || n > MaxLeap || n != int64(len(sums)) {
		return fmt.Errorf("leap from step %d to %d with sums of %d: want those of 1 to %d steps: %w", from, s.Step, len(sums), MaxLeap, job.ErrInvalid)
	}
	return nil
}

// AllChunks lists the numbers of all chunks.
func (l Layout) AllChunks() []int {
	all := make([]int, l.Chunks())
	for c := range all {
		all[c] = c
	}
	return all
}

// Bounds of an evaluation's unit and its result, in bytes.
const (
	MaxUnit   = 256
	MaxResult = 1 << 20
)

// CheckUnit reports an invalid layout, step, evaluation unit or result.
func (l Layout) CheckUnit(step int64, unit string, result []byte) error {
	if err := l.CheckStep(step); err != nil {
		return err
	}
	if unit == "" || len(unit) > MaxUnit {
		return fmt.Errorf("evaluation unit %.40q: want 1 to %d bytes: %w", unit, MaxUnit, job.ErrInvalid)
	}
	if len(result) > MaxResult {
		return fmt.Errorf("evaluation result of %d bytes: want at most %d: %w", len(result), MaxResult, job.ErrInvalid)
	}
	return nil
}

// CheckSnapshot reports an invalid layout, step, or vectors of a snapshot.
func (l Layout) CheckSnapshot(step int64, vectors [][]float32) error {
	if err := l.CheckStep(step); err != nil {
		return err
	}
	if len(vectors) == 0 {
		return fmt.Errorf("snapshot of no vectors: want at least the parameters: %w", job.ErrInvalid)
	}
	if l.Wire.Lossy() && len(vectors) < 2 {
		return fmt.Errorf("snapshot of %d vectors: want the parameters and the residual of a lossy wire: %w", len(vectors), job.ErrInvalid)
	}
	for i, v := range vectors {
		if err := l.CheckVector(fmt.Sprintf("snapshot vector %d", i), v); err != nil {
			return err
		}
	}
	return nil
}

// EndsEarlier reports whether a unit of [Earlier] has the losses up to step.
func EndsEarlier(unit string, step int64) bool {
	return strings.HasSuffix(unit, "-"+strconv.FormatInt(step, 10))
}

// Bare is the refusal to begin with a snapshot whose steps' losses are not there.
func Bare(step int64) error {
	return fmt.Errorf("begin with snapshot %d: the losses of its steps are not there: %w", step, job.ErrStale)
}

// Apart is the refusal of a leap over steps that are not the ledger's next ones.
func Apart(from, to, committed int64) error {
	return fmt.Errorf("leap from step %d to %d: the ledger has %d steps, or has lost marks: %w", from, to, committed, job.ErrStale)
}

// Ahead is the refusal of a snapshot of steps that the ledger does not have.
func Ahead(step, committed int64) error {
	return fmt.Errorf("put snapshot %d: the ledger has %d steps: %w", step, committed, job.ErrStale)
}
