package ledger

import (
	"cmp"
	"fmt"
	"strings"

	"tributary/shared/job"
	"tributary/shared/tree"
)

// Validate reports, as job.ErrInvalid, a layout that cannot be the layout of a ledger. Its
// faults: a reference that is empty, too long or would be misread inside a key; a negative
// number of parameters; an empty chunk; a tree whose size is not allowed.
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

// CheckDelete reports a layout whose ledger cannot be deleted. The layout's chunks may be
// unknown.
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

// checkNode reports a node that the layout's tree does not have.
func (l Layout) checkNode(n tree.Node) error {
	if _, _, ok := n.Leaves(l.Microbatch); !ok {
		return fmt.Errorf("node %d: a tree of %d micro-batches has no such node: %w", n, l.Microbatch, job.ErrInvalid)
	}
	return nil
}

// CheckVector reports a vector that is not [P]; the error calls it name.
func (l Layout) CheckVector(name string, v []float32) error {
	if len(v) != l.Params {
		return fmt.Errorf("%s of %d floats: want the layout's %d: %w", name, len(v), l.Params, job.ErrInvalid)
	}
	return nil
}

// checkChunks reports an invalid layout, or an invalid list of chunks. The list must have
// at least one chunk of the layout, and be strictly increasing.
func (l Layout) checkChunks(chunks []int) error {
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

// CheckAppend reports an invalid layout or write to the log.
func (l Layout) CheckAppend(w LogWrite) error {
	return cmp.Or(l.CheckStep(w.Step), l.checkChunks(w.Chunks), l.CheckVector("root", w.Root.Gradient), l.checkResidual(w.Residual), l.checkChain(w.Before))
}

// checkResidual reports a root's residual that is not [P] with a lossy wire, or is not nil
// with any other wire.
func (l Layout) checkResidual(v []float32) error {
	if !l.Wire.Lossy() {
		if v != nil {
			return fmt.Errorf("residual of %d floats: want none with a lossless wire: %w", len(v), job.ErrInvalid)
		}
		return nil
	}
	return l.CheckVector("residual", v)
}

// CheckLogRead reports an invalid layout or read of a root.
func (l Layout) CheckLogRead(r LogRead) error {
	return cmp.Or(l.CheckStep(r.Step), l.checkChunks(r.Chunks), l.CheckVector("destination", r.Dst), l.checkChain(r.Before))
}

// CheckResidualRead reports an invalid layout or read of a residual. Only a lossy wire has
// a residual.
func (l Layout) CheckResidualRead(r LogRead) error {
	err := l.CheckLogRead(r)
	if err == nil && !l.Wire.Lossy() {
		err = fmt.Errorf("residual of %s: want none, its wire is lossless: %w", l.Ref, job.ErrInvalid)
	}
	return err
}

// CheckLosses reports an invalid layout or range of steps.
func (l Layout) CheckLosses(from, to int64) error {
	if err := l.Validate(); err != nil {
		return err
	}
	if from < 0 || to < from {
		return fmt.Errorf("losses from step %d to %d: want 0 ≤ from ≤ to: %w", from, to, job.ErrInvalid)
	}
	return nil
}

// CheckPut reports an invalid layout, step or node, or a partial that is not [P].
func (l Layout) CheckPut(step int64, node tree.Node, p Partial) error {
	return cmp.Or(l.CheckStep(step), l.checkNode(node), l.CheckVector("partial", p.Gradient))
}

// CheckPartialRead reports an invalid layout or read of a partial.
func (l Layout) CheckPartialRead(r PartialRead) error {
	return cmp.Or(l.CheckStep(r.Step), l.checkNode(r.Node), l.checkChunks(r.Chunks), l.CheckVector("destination", r.Dst))
}

// CheckPutSnapshot reports an invalid layout or snapshot to store.
func (l Layout) CheckPutSnapshot(s Snapshot) error {
	return cmp.Or(l.CheckSnapshot(s.Step, s.Vectors), l.checkChain(s.Chain))
}

// CheckBatch reports an invalid layout or batch commit.
func (l Layout) CheckBatch(b BatchCommit) error {
	if err := cmp.Or(l.CheckStep(b.From), l.CheckPutSnapshot(b.Snapshot)); err != nil {
		return err
	}
	if l.Wire.Lossy() {
		return fmt.Errorf("batch commit of %s: want a lossless wire, its wire is lossy: %w", l.Ref, job.ErrInvalid)
	}
	if n := b.Snapshot.Step - b.From; n < 1 || n > MaxBatch || n != int64(len(b.Sums)) {
		return fmt.Errorf("batch commit from step %d to %d with sums of %d: want those of 1 to %d steps: %w", b.From, b.Snapshot.Step, len(b.Sums), MaxBatch, job.ErrInvalid)
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
