// Package ledgertest is the test suite that every implementation of ledger.Ledger must
// pass, on every server on which it runs.
//
// It owns what the contract means in practice: which calls commit a step, what a repeated
// or a different call does, and what remains after trimming. It knows nothing about how a
// ledger stores its data. The tests of the implementations call Run.
//
// Invariant: every test uses a job of its own, so one ledger is enough for all tests.
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
	"tributary/shared/rounding"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// Formats are the wires of the suite's jobs, by name.
var Formats = map[string]wire.Format{
	"float32": {}, "bfloat16": {Encoding: wire.Bfloat16}, "int8": {Encoding: wire.Int8}, "topk": {Encoding: wire.TopK, Keep: 0.5},
}

// formatted is a ledger for tests whose jobs use a given wire.
type formatted struct {
	ledger.Ledger
	wire wire.Format
}

// Run runs the suite on the ledger that open returns. With each lossy wire, it runs only
// the tests that depend on the bytes of vectors. It calls open once.
func Run(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	l := open(t)
	for name, format := range Formats {
		t.Run(name, func(t *testing.T) { run(t, formatted{l, format}) })
	}
}

func run(t *testing.T, l formatted) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, ledger.Ledger)
		once bool // the test is the same with every wire
	}{
		{"NewJobIsAtZero", newJobIsAtZero, true},
		{"OneChunk", oneChunk, false},
		{"PutIsIdempotent", putIsIdempotent, false},
		{"DifferingPartialIsCorrupt", differingPartial, false},
		{"ArrivedListsNodes", arrivedListsNodes, true},
		{"PartialOfCommittedChunk", partialOfCommittedChunk, false},
		{"ChunkSizes", chunkSizes, false},
		{"ManyChunks", manyChunks, true},
		{"AppendWithoutPut", appendWithoutPut, false},
		{"AppendIsIdempotent", appendIsIdempotent, false},
		{"DifferingRootIsCorrupt", differingRoot, false},
		{"ChunkByChunk", chunkByChunk, false},
		{"StepsCommitInOrder", stepsCommitInOrder, true},
		{"BitsAreKept", bitsAreKept, false},
		{"ChainIsAdvanced", chainIsAdvanced, false},
		{"ForkIsNamed", forkIsNamed, false},
		{"ForkOfOneChunkIsNamed", forkOfOneChunkIsNamed, false},
		{"RollbackIsNamed", rollbackIsNamed, true},
		{"ForeignEntryIsNamed", foreignEntryIsNamed, false},
		{"ForeignSnapshotIsNamed", foreignSnapshotIsNamed, false},
		{"Residuals", residuals, false},
		{"DifferingResidualIsCorrupt", differingResidual, false},
		{"UnroundedIsInvalid", unrounded, false},
		{"Losses", losses, true},
		{"AnyCoverAnyOrder", anyCoverAnyOrder, true},
		{"ManyWriters", manyWriters, true},
		{"Snapshot", snapshot, false},
		{"SnapshotTrims", snapshotTrims, false},
		{"SnapshotAtZero", snapshotAtZero, true},
		{"OlderSnapshotIsIgnored", olderSnapshot, true},
		{"DifferingSnapshotIsCorrupt", differingSnapshot, false},
		{"BeginAgainFromSnapshot", beginAgain, false},
		{"SnapshotReplacedWhileRead", snapshotReplaced, true},
		{"BatchCommit", batchCommit, true},
		{"BatchCommitFromElsewhere", batchFromElsewhere, true},
		{"BatchCommitNeedsItsMarks", batchNeedsItsMarks, true},
		{"BatchCommitMeetsLaterSteps", batchFindsLaterSteps, true},
		{"LargestBatchCommit", largestBatch, true},
		{"Evaluations", evaluations, true},
		{"ForeignPlanIsNamed", foreignPlanIsNamed, true},
		{"Journal", journal, true},
		{"Delete", deleteJob, true},
		{"RunsAreApart", runsAreApart, true},
		{"BadArguments", badArguments, false},
		{"EndedContext", endedContext, true},
	} {
		if test.once && l.wire.Lossy() {
			continue
		}
		t.Run(test.name, func(t *testing.T) { test.run(t, l) })
	}
}

var runs atomic.Int64

// Layout returns the layout of a new job: p parameters in chunks of length chunk, m
// micro-batches.
func Layout(p, chunk, m int) ledger.Layout {
	run := job.Run(strconv.FormatInt(runs.Add(1), 10))
	return ledger.Layout{Ref: job.Ref{Job: "conformance", Run: run}, Plan: "plan", Params: p, ChunkLen: chunk, Microbatch: m}
}

// layoutOf returns the same as Layout, with the wire for which the test of l runs.
func layoutOf(l ledger.Ledger, p, chunk, m int) ledger.Layout {
	lay := Layout(p, chunk, m)
	if f, ok := l.(formatted); ok {
		lay.Wire = f.wire
	}
	return lay
}

// Partial returns the partial that a worker computes for a node of a step. The data is a
// function of the step and the leaf. The result is the naive sum along the tree, rounded to
// the layout's wire.
func Partial(lay ledger.Layout, step int64, node tree.Node) ledger.Partial {
	lo, hi, ok := node.Leaves(lay.Microbatch)
	if !ok {
		panic("ledgertest: no such node")
	}
	return rounded(lay, node, sumLeaves(lay, step, lo, hi))
}

// rounded rounds a node's sum to the layout's wire. It rounds a root's sum so that a
// partial can represent it too.
func rounded(lay ledger.Layout, node tree.Node, p ledger.Partial) ledger.Partial {
	for c := range lay.Chunks() {
		lo, hi := lay.Chunk(c)
		rounding.Inner(lay.Wire, p.Gradient[lo:hi])
		if node == tree.Root {
			rounding.Root(lay.Wire, p.Gradient[lo:hi], make([]float32, hi-lo))
		}
	}
	return p
}

// Residual returns a residual to append with root: arbitrary numbers, rounded. It is nil
// when the wire is not lossy or an argument is invalid.
func Residual(lay ledger.Layout, root ledger.Partial) []float32 {
	if !lay.Wire.Lossy() || lay.Validate() != nil || lay.CheckVector("root", root.Gradient) != nil {
		return nil // not lossy, or the arguments are invalid
	}
	v := make([]float32, len(root.Gradient))
	for i, x := range root.Gradient {
		v[i] = float32(root.Sums.Loss) - x/3
	}
	for c := range lay.Chunks() {
		lo, hi := lay.Chunk(c)
		rounding.Inner(lay.Wire, v[lo:hi])
	}
	return v
}

func sumLeaves(lay ledger.Layout, step int64, lo, hi int) ledger.Partial {
	if hi-lo > 1 {
		mid := tree.Split(lo, hi)
		left, right := sumLeaves(lay, step, lo, mid), sumLeaves(lay, step, mid, hi)
		return add(rounded(lay, inner, left), rounded(lay, inner, right))
	}
	r := rand.New(rand.NewPCG(uint64(step), uint64(lo)))
	p := ledger.Partial{Gradient: make([]float32, lay.Params), Sums: ledger.Sums{Examples: 1 + r.Int64N(100), Loss: r.NormFloat64()}}
	for i := range p.Gradient {
		p.Gradient[i] = float32(r.NormFloat64())
	}
	return p
}

// inner stands for any node except the root.
const inner = tree.Node(2)

// Chain returns the log's chain before step, when every root before step is the one that
// Partial returns.
func Chain(lay ledger.Layout, step int64) ledger.Chain {
	chain := lay.Genesis()
	for n := range step {
		chain = After(lay, chain, n, Partial(lay, n, tree.Root))
	}
	return chain
}

// After returns the chain after a step with the given root.
func After(lay ledger.Layout, before ledger.Chain, step int64, root ledger.Partial) ledger.Chain {
	after := make(ledger.Chain, len(before))
	for c, link := range before {
		_, sum, err := lay.EncodeRoot(nil, step, c, root.Gradient, root.Sums, link)
		if err != nil {
			panic(err)
		}
		after[c] = link.Next(sum)
	}
	return after
}

// add returns left + right. It overwrites left.
func add(left, right ledger.Partial) ledger.Partial {
	for i, x := range right.Gradient {
		left.Gradient[i] += x
	}
	left.Sums = left.Sums.Add(right.Sums)
	return left
}

// Reduce does what a worker does with the arrivals for its partial of a node. It sums the
// cover of each chunk: its own partial from memory, the others from the arrivals or the
// ledger. Then it appends the roots, and reports whether that committed the step. It leaves
// out the chunks in skip.
func Reduce(ctx context.Context, t require.TestingT, l ledger.Ledger, lay ledger.Layout, step int64, node tree.Node, arrivals []ledger.Arrival, skip func(chunk int) bool) (committed bool) {
	for c, a := range arrivals {
		if a.Cover == nil || skip != nil && skip(c) {
			continue
		}
		root, err := sum(ctx, t, l, lay, step, node, c, a)
		if err != nil { // another worker was faster
			require.ErrorIs(t, err, job.ErrNotFound)
			continue
		}
		now, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: []int{c}, Root: root, Residual: Residual(lay, root), Before: Chain(lay, step)})
		require.NoError(t, err)
		committed = committed || now
	}
	return committed
}

// sum sums a chunk along the tree, and writes it to its place in a gradient [P].
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
			p.Sums, err = l.Partial(ctx, lay, ledger.PartialRead{Step: step, Node: n, Chunks: []int{chunk}, Dst: p.Gradient})
			failed = errors.Join(failed, err)
		}
		return p
	}
	type valued struct {
		ledger.Partial
		node tree.Node
	}
	sum, ok := tree.Sum(lay.Microbatch, a.Cover, func(n tree.Node) valued { return valued{value(n), n} }, func(left, right valued) valued {
		parent := left.node.Parent()
		return valued{rounded(lay, parent, add(left.Partial, right.Partial)), parent}
	})
	require.True(t, ok, "chunk %d: %v is no cover", chunk, a.Cover)
	return sum.Partial, failed
}
