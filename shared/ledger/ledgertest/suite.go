// Package ledgertest is the suite every implementation of ledger.Ledger
// passes, on every server it runs on.
//
// It owns what the contract means in practice: which calls commit a step, what
// a repeated or a differing call does, what trimming leaves. It knows nothing
// of how a ledger keeps its state. The adapters' tests call Run.
//
// Invariant: a test uses a job of its own, so that one ledger serves them all.
package ledgertest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// Run runs the suite on the ledger that open returns; open is called once.
func Run(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	l := open(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, ledger.Ledger)
	}{
		{"NewJobIsAtZero", newJobIsAtZero},
		{"OneChunk", oneChunk},
		{"PutIsIdempotent", putIsIdempotent},
		{"DifferingPartialIsCorrupt", differingPartial},
		{"ArrivedListsNodes", arrivedListsNodes},
		{"PartialOfCommittedChunk", partialOfCommittedChunk},
		{"ChunkSizes", chunkSizes},
		{"ManyChunks", manyChunks},
		{"AppendWithoutPut", appendWithoutPut},
		{"AppendIsIdempotent", appendIsIdempotent},
		{"DifferingRootIsCorrupt", differingRoot},
		{"ChunkByChunk", chunkByChunk},
		{"StepsCommitInOrder", stepsCommitInOrder},
		{"BitsAreKept", bitsAreKept},
		{"ChainIsAdvanced", chainIsAdvanced},
		{"ForkIsNamed", forkIsNamed},
		{"ForkOfOneChunkIsNamed", forkOfOneChunkIsNamed},
		{"RollbackIsNamed", rollbackIsNamed},
		{"ForeignEntryIsNamed", foreignEntryIsNamed},
		{"ForeignSnapshotIsNamed", foreignSnapshotIsNamed},
		{"Losses", losses},
		{"AnyCoverAnyOrder", anyCoverAnyOrder},
		{"ManyWriters", manyWriters},
		{"Snapshot", snapshot},
		{"SnapshotTrims", snapshotTrims},
		{"SnapshotAtZero", snapshotAtZero},
		{"OlderSnapshotIsIgnored", olderSnapshot},
		{"DifferingSnapshotIsCorrupt", differingSnapshot},
		{"BeginAgainFromSnapshot", beginAgain},
		{"SnapshotReplacedWhileRead", snapshotReplaced},
		{"Evaluations", evaluations},
		{"Delete", deleteJob},
		{"RunsAreApart", runsAreApart},
		{"BadArguments", badArguments},
		{"EndedContext", endedContext},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, l) })
	}
}

var runs atomic.Int64

// Layout returns the layout of a job nobody has used: p parameters in chunks
// of chunk, m micro-batches.
func Layout(p, chunk, m int) ledger.Layout {
	run := job.Run(strconv.FormatInt(runs.Add(1), 10))
	return ledger.Layout{Ref: job.Ref{Job: "conformance", Run: run}, Plan: "plan", Params: p, ChunkLen: chunk, Microbatch: m}
}

// Partial returns what a worker would compute for a node of a step, on data
// that is a function of the step and the leaf: the naive sum along the tree.
func Partial(lay ledger.Layout, step int64, node tree.Node) ledger.Partial {
	lo, hi, ok := node.Leaves(lay.Microbatch)
	if !ok {
		panic("ledgertest: no such node")
	}
	return sumLeaves(lay, step, lo, hi)
}

func sumLeaves(lay ledger.Layout, step int64, lo, hi int) ledger.Partial {
	if hi-lo > 1 {
		mid := tree.Split(lo, hi)
		return Add(sumLeaves(lay, step, lo, mid), sumLeaves(lay, step, mid, hi))
	}
	r := rand.New(rand.NewPCG(uint64(step), uint64(lo)))
	p := ledger.Partial{Gradient: make([]float32, lay.Params), Sums: ledger.Sums{Examples: 1 + r.Int64N(100), Loss: r.NormFloat64()}}
	for i := range p.Gradient {
		p.Gradient[i] = float32(r.NormFloat64())
	}
	return p
}

// Chain returns the log's chain before step when every root before it is Partial's.
func Chain(lay ledger.Layout, step int64) ledger.Chain {
	chain := lay.Genesis()
	for n := range step {
		chain = After(lay, chain, n, Partial(lay, n, tree.Root))
	}
	return chain
}

// After returns the chain past a step's root.
func After(lay ledger.Layout, before ledger.Chain, step int64, root ledger.Partial) ledger.Chain {
	after := make(ledger.Chain, len(before))
	for c, link := range before {
		_, sum := lay.EncodeRoot(nil, step, c, root.Gradient, root.Sums, link)
		after[c] = link.Next(sum)
	}
	return after
}

// Add returns left + right, in left's memory.
func Add(left, right ledger.Partial) ledger.Partial {
	for i, x := range right.Gradient {
		left.Gradient[i] += x
	}
	left.Sums = left.Sums.Add(right.Sums)
	return left
}

// Reduce does what a worker does that was given arrivals for its partial of a
// node: it sums the covers of the chunks, its own partial from memory and the
// others from what it was given or from the ledger, appends the roots, and
// reports whether that committed the step. Chunks named in skip are left to others.
func Reduce(ctx context.Context, t require.TestingT, l ledger.Ledger, lay ledger.Layout, step int64, node tree.Node, arrivals []ledger.Arrival, skip func(chunk int) bool) (committed bool) {
	for c, a := range arrivals {
		if a.Cover == nil || skip != nil && skip(c) {
			continue
		}
		root, err := sum(ctx, t, l, lay, step, node, c, a)
		if err != nil { // somebody else was faster
			require.ErrorIs(t, err, job.ErrNotFound)
			continue
		}
		now, _, err := l.Append(ctx, lay, step, []int{c}, root.Gradient, root.Sums, Chain(lay, step))
		require.NoError(t, err)
		committed = committed || now
	}
	return committed
}

// sum sums a chunk along the tree, into its place in a whole gradient.
func sum(ctx context.Context, t require.TestingT, l ledger.Ledger, lay ledger.Layout, step int64, node tree.Node, chunk int, a ledger.Arrival) (root ledger.Partial, failed error) {
	lo, hi := lay.Chunk(chunk)
	own := Partial(lay, step, node)
	if a.Values != nil {
		require.Len(t, a.Values, len(a.Cover))
	}
	value := func(n tree.Node) ledger.Partial {
		p := ledger.Partial{Gradient: make([]float32, lay.Params)}
		switch {
		case n == node:
			copy(p.Gradient[lo:hi], own.Gradient[lo:hi])
			p.Sums = own.Sums
		case a.Values != nil:
			v := a.Values[slices.Index(a.Cover, n)]
			require.Len(t, v.Gradient, hi-lo)
			copy(p.Gradient[lo:hi], v.Gradient)
			p.Sums = v.Sums
		default:
			var err error
			p.Sums, err = l.Partial(ctx, lay, step, n, []int{chunk}, p.Gradient)
			failed = errors.Join(failed, err)
		}
		return p
	}
	root, ok := tree.Sum(lay.Microbatch, a.Cover, value, Add)
	require.True(t, ok, "chunk %d: %v is no cover", chunk, a.Cover)
	return root, failed
}
