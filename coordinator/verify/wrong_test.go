package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/numeric/isa"
	"tributary/shared/tree"
)

// wrongAt is a worker that computes one micro-batch of one step wrongly.
func wrongAt(step int64, micro int, alter fault) fault {
	return func(p *past, at int64, i int, leaves []leaf, before []float32) {
		if at == step && i == micro {
			alter(p, at, i, leaves, before)
		}
	}
}

func zeroed(_ *past, _ int64, i int, leaves []leaf, _ []float32) { clear(leaves[i].v) }

func leftOut(_ *past, _ int64, i int, leaves []leaf, _ []float32) {
	leaves[i] = leaf{v: make([]float32, len(leaves[i].v))}
}

func twice(_ *past, _ int64, i int, leaves []leaf, _ []float32) {
	l := leaves[i]
	leaves[i] = leaf{sum(l.v, l.v), l.sums.Add(l.sums)}
}

func neighbours(_ *past, _ int64, i int, leaves []leaf, _ []float32) { leaves[i] = leaves[i-1] }

func stale(p *past, step int64, i int, leaves []leaf, before []float32) {
	v := make([]float32, len(leaves[i].v))
	x := &verification{s: &Subject{Engine: p.e, Layout: p.layout}}
	s, err := p.e.Node(context.Background(), v, newScratch(), before, step, leafNode(x.s.Layout.Microbatch, i), nil)
	require.NoError(p.t, err)
	leaves[i] = leaf{v, s}
}

func flip(_ *past, _ int64, i int, leaves []leaf, _ []float32) {
	leaves[i].v[9] = math.Float32frombits(math.Float32bits(leaves[i].v[9]) ^ 1<<29)
}

func noisy(_ *past, _ int64, i int, leaves []leaf, _ []float32) {
	for k := range leaves[i].v {
		leaves[i].v[k] += float32(k) / 8
	}
}

// Verify finds the step of a wrong micro-batch. It also finds the micro-batch if one of
// the tried faults explains it, both while the log exists and when only a mark is left.
func TestAWrongMicrobatchIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		alter  fault
		why    string
		onlyIf bool // only if the log exists
		never  bool
	}{
		"zero":       {zeroed, "micro-batch 2 has a gradient of zero", false, false},
		"left out":   {leftOut, "micro-batch 2 is left out", false, false},
		"twice":      {twice, "micro-batch 2 is counted twice", false, false},
		"neighbours": {neighbours, "micro-batch 2 has the gradient of the one 1 before it", false, false},
		"stale":      {stale, "micro-batch 2 is computed from the parameters of the step before", false, false},
		"a bit":      {flip, "the recorded value results if one bit of micro-batch 2 is flipped", true, false},
		"noise":      {noisy, "the sum does not show which micro-batch is wrong", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := play(t, gradienttest.Job{}, 16, wrongAt(6, 2, c.alter))
			for _, logged := range []bool{true, false} {
				s := p.finished(4)
				if logged {
					s = p.running()
				}
				d := different(t, s, Request{})
				require.Equal(t, "root", d.What)
				require.EqualValues(t, 6, d.Step)
				if logged {
					require.NotNil(t, d.Element)
					require.Positive(t, d.Elements)
				}
				if c.never || c.onlyIf && !logged {
					require.Nil(t, d.Microbatch)
					continue
				}
				require.NotNil(t, d.Microbatch, d.Message)
				require.Equal(t, 2, *d.Microbatch)
				require.Contains(t, d.Message, "step 6, micro-batch 2: the record has ")
				require.Contains(t, d.Message, c.why)
			}
		})
	}
}

// One element of one chunk of one root is changed, and everything after it follows from
// the changed value. Only a recomputation finds it.
func TestAnAlteredRootIsFoundExactly(t *testing.T) {
	const step, element = 9, 17 // in chunk 2 of 7 parameters
	p := play(t, gradienttest.Job{}, 16, func(_ *past, at int64, i int, leaves []leaf, _ []float32) {
		if at == step && i == 0 {
			leaves[0].v[element] += 0.3
		}
	})
	for _, s := range []*Subject{p.running(), func() *Subject { p.snapshot(12); s := p.running(); s.Log = nil; return s }()} {
		d := different(t, s, Request{Steps: []int64{9}})
		require.EqualValues(t, step, d.Step)
	}
	p = play(t, gradienttest.Job{}, 16, func(_ *past, at int64, i int, leaves []leaf, _ []float32) {
		if at == step && i == 0 {
			leaves[0].v[element] += 0.3
		}
	})
	d := different(t, p.running(), Request{})
	require.EqualValues(t, step, d.Step)
	require.Equal(t, 2, *d.Chunk)
	require.Equal(t, element, *d.Element)
	require.Equal(t, 1, d.Elements)
	require.Contains(t, d.Message, "step 9: the record has another root gradient; chunk 2, element 17: the log has ")
	require.Equal(t, job.Verified, verify(t, p.running(), Request{Steps: []int64{8}}).State)
}

// The log was changed after the marks were stored.
func TestALogThatWasAlteredAfterwards(t *testing.T) {
	good := play(t, gradienttest.Job{}, 16, nil)
	p := play(t, gradienttest.Job{}, 16, wrongAt(10, 1, zeroed))
	s := p.running()
	require.NoError(t, s.History.Add(0, good.marks))
	d := different(t, s, Request{})
	require.EqualValues(t, 10, d.Step)
	require.Equal(t, 1, *d.Microbatch)
}

// A log whose entries do not follow each other is reported at the first wrong entry.
func TestALogThatCannotBeFollowed(t *testing.T) {
	p := play(t, gradienttest.Job{}, 8, nil)
	_, _, err := p.ledger.Append(t.Context(), p.layout, ledger.LogWrite{Step: 8, Chunks: p.layout.AllChunks(), Root: p.log[0], Before: p.folds[3].Chain})
	require.NoError(t, err)
	s := p.running()
	require.EqualValues(t, 9, s.Committed)
	d := different(t, s, Request{})
	require.Equal(t, "log", d.What)
	require.EqualValues(t, 8, d.Step)
	require.Contains(t, d.Message, "step 8: the log cannot be followed")
}

// Partials of the running step are compared one by one.
func TestAWrongPartialIsFound(t *testing.T) {
	for _, c := range []struct {
		node  tree.Node
		micro int
		alter func(*leaf)
		found bool
	}{
		{6, 2, func(l *leaf) { l.v[3]++ }, true},
		{6, 2, func(l *leaf) { l.sums.Loss++ }, true},
		{3, 3, func(l *leaf) { clear(l.v) }, true},
		{3, 3, func(l *leaf) {
			for i := range l.v {
				l.v[i]++
			}
		}, false},
	} {
		p := play(t, gradienttest.Job{}, 5, nil)
		x := &verification{s: &Subject{Engine: p.e, Layout: p.layout}, w: newWalkAt(t, p, 5)}
		leaves, err := x.leaves(t.Context(), 1, x.w.Params())
		require.NoError(t, err)
		put := func(n tree.Node) {
			lo, hi, _ := n.Leaves(p.layout.Microbatch)
			v, sums := total(leaves[lo:hi])
			_, err := p.ledger.Put(t.Context(), p.layout, 5, n, ledger.Partial{Gradient: v, Sums: sums})
			require.NoError(t, err)
		}
		put(4)
		v := verify(t, p.running(), Request{})
		require.Equal(t, job.Verified, v.State)
		require.Equal(t, 1, v.Partials)
		l := leaf{slices.Clone(leaves[c.micro].v), leaves[c.micro].sums}
		c.alter(&l)
		leaves[c.micro] = l
		put(c.node)
		d := different(t, p.running(), Request{})
		require.Equal(t, "partial", d.What)
		require.EqualValues(t, 5, d.Step)
		require.EqualValues(t, c.node, d.Node)
		require.Equal(t, c.found, d.Microbatch != nil, d.Message)
		if c.found {
			require.Equal(t, c.micro, *d.Microbatch)
		}
	}
}

// There are two kernels on one machine. If both give the same result, the record is
// wrong. If they differ and the other one gives the recorded result, this machine is
// wrong.
func TestWhichSideIsWrong(t *testing.T) {
	p := play(t, gradienttest.Job{}, 16, wrongAt(6, 2, noisy))
	honest := Elsewhere(RecomputeName)
	require.NotNil(t, honest, "there are always the Go kernels, and on this CPU others")
	v, err := (&Verifier{Second: honest}).Verify(t.Context(), p.finished(), Request{})
	require.NoError(t, err)
	require.Equal(t, job.WrongRecord, v.Difference.Wrong, v.Difference.Message)
	require.Contains(t, v.Difference.Message, "kernels of this machine agree with each other")
	require.Nil(t, v.Difference.Microbatch)

	// The record is right. The kernels here count as wrong at micro-batch 2, because the
	// other kernels give the recorded root.
	recorded := func(ctx context.Context, q Question) (*Opinion, error) {
		o, err := computeOpinion(ctx, p.e, q.Step, q.Params)
		require.NoError(t, err)
		o.Set, o.Leaves[2] = "other", "00"
		o.Examples, o.Loss = p.log[6].Sums.Examples, math.Float64bits(p.log[6].Sums.Loss)
		o.Root = floats(p.log[6].Gradient)
		return o, nil
	}
	v, err = (&Verifier{Second: recorded}).Verify(t.Context(), p.finished(), Request{})
	require.NoError(t, err)
	require.Equal(t, job.WrongMachine, v.Difference.Wrong)
	require.Equal(t, 2, *v.Difference.Microbatch)
	require.Contains(t, v.Difference.Message, "other kernels of this machine differ at micro-batch 2, and the latter compute what was recorded")

	failing := func(context.Context, Question) (*Opinion, error) { return nil, job.ErrFull }
	v, err = (&Verifier{Second: failing}).Verify(t.Context(), p.finished(), Request{})
	require.NoError(t, err)
	require.Equal(t, job.WrongUnknown, v.Difference.Wrong)
	require.Equal(t, []string{"the second arithmetic failed: full"}, v.Notes)
}

func TestAQuestionIsAnsweredAsHere(t *testing.T) {
	p := play(t, gradienttest.Job{}, 3, nil)
	x := &verification{s: p.running(), w: newWalkAt(t, p, 3)}
	q, err := x.question(t.Context())
	require.NoError(t, err)
	var in, out bytes.Buffer
	require.NoError(t, q.write(&in))
	whole := in.Bytes()
	require.NoError(t, Recompute(t.Context(), bytes.NewReader(whole), &out))
	var got Opinion
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	want, err := computeOpinion(t.Context(), p.e, 3, x.w.Params())
	require.NoError(t, err)
	require.Equal(t, want, &got)
	require.Equal(t, isa.Chosen(), got.Set)
	for _, n := range []int{0, 5, 9, len(whole) / 2, len(whole) - 1} {
		require.Error(t, Recompute(t.Context(), bytes.NewReader(whole[:n]), &out))
	}
}
