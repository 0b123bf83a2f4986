package replica

import (
	"context"
	"fmt"
	"math"
	"slices"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// parts are chunks of the next step's root gradient that this process has put
// into the log itself; they lie in the replica's scratch root and need not be
// read back.
//
// Invariant: missing is not empty, and parts are used only at the step and on the
// chain that they follow.
type parts struct {
	step    int64
	before  ledger.Chain
	after   ledger.Chain // with the links of the chunks that are here
	sums    ledger.Sums
	missing []int // chunks that are not here
}

// Part keeps chunks of the root gradient [P] of a step, which are in the log now,
// when it is the replica's next one and nobody uses the replica; after is the
// chain before the step with these chunks past it. Only the others are then
// read from the log.
func (r *Replica) Part(step int64, chunks []int, root []float32, sums ledger.Sums, before, after ledger.Chain) {
	if !r.lock.TryAcquire(everything) {
		return
	}
	defer r.lock.Release(everything)
	if r.step != step || !slices.Equal(r.chain, before) {
		return
	}
	p := r.parts
	if p == nil || p.step != step || !slices.Equal(p.before, before) || !same(p.sums, sums) {
		p = &parts{step: step, before: before, after: slices.Clone(before), sums: sums, missing: r.layout.AllChunks()}
	}
	for _, c := range chunks {
		i, ok := slices.BinarySearch(p.missing, c)
		if !ok {
			continue
		}
		lo, hi := r.layout.Chunk(c)
		copy(r.root[lo:hi], root[lo:hi])
		p.missing = slices.Delete(p.missing, i, i+1)
		p.after[c] = after[c]
	}
	r.parts = p
	if len(p.missing) == 0 {
		r.parts = nil // so that the log is asked whether the step is committed
	}
}

// read reads the root gradient of the replica's next step into its scratch root:
// only what parts lack, when there are such. The lock is held with everything.
func (r *Replica) read(ctx context.Context, l ledger.Ledger) (ledger.Sums, ledger.Chain, error) {
	p := r.parts
	if p == nil || p.step != r.step || !slices.Equal(p.before, r.chain) {
		r.parts = nil
		return l.Root(ctx, r.layout, r.step, r.root, r.chain)
	}
	sums, after, err := l.RootChunks(ctx, r.layout, r.step, p.missing, r.root, r.chain)
	if err != nil {
		return sums, after, err
	}
	r.parts = nil
	if !same(sums, p.sums) {
		return sums, after, fmt.Errorf("sums are %v, those of the chunks appended here %v: %w", sums, p.sums, job.ErrCorrupt)
	}
	for c, link := range p.after {
		if link != p.before[c] {
			after[c] = link
		}
	}
	return sums, after, nil
}

// same compares bit for bit.
func same(a, b ledger.Sums) bool {
	return a.Examples == b.Examples && math.Float64bits(a.Loss) == math.Float64bits(b.Loss)
}
