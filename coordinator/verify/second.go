package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/numeric/isa"
	"tributary/shared/plan"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// Second computes the micro-batches of a step in another way, independent of this
// process's kernels. It returns nil if there is no other way.
type Second func(context.Context, Question) (*Opinion, error)

// Question holds the inputs of a step's computation.
type Question struct {
	Plan   *plan.Plan
	Step   int64
	Params []float32
	Blocks [][]byte // the blocks with the rows of the step
}

// Opinion holds the micro-batches of a step as other kernels compute them.
type Opinion struct {
	Set    isa.Set      `json:"set"` // of these kernels
	Leaves []job.Digest `json:"leaves"`
	// Examples and Loss are the root's sums. Loss has the bits of a float64, because JSON
	// cannot represent all values.
	Examples int64  `json:"examples"`
	Loss     uint64 `json:"loss"`
	// Root is the root's gradient: float32s, as base64 in JSON.
	Root []byte `json:"root"`
}

// opinion is a second opinion and its comparison with the first.
type opinion struct {
	*Opinion
	leaf     int  // first micro-batch that differs
	explains bool // its root equals the record
}

// leafDigest returns the digest of a micro-batch's gradient and sums.
func leafDigest(l leaf) job.Digest {
	sum := sha256.Sum256(wire.AppendFloats(fmt.Appendf(nil, "%d %x ", l.sums.Examples, l.sums.Loss), l.v))
	return job.Digest(hex.EncodeToString(sum[:]))
}

// computeOpinion computes each micro-batch of a step and their sum along the tree.
func computeOpinion(ctx context.Context, e *gradient.Engine, step int64, params []float32) (*Opinion, error) {
	o := &Opinion{Set: isa.Chosen()}
	s, m := gradient.NewScratch(), e.Plan.Spec.Microbatches
	v := make([]float32, len(params))
	for i := range m {
		sums, err := e.Node(ctx, v, s, params, step, leafNode(m, i), nil)
		if err != nil {
			return nil, err
		}
		o.Leaves = append(o.Leaves, leafDigest(leaf{v, sums}))
	}
	sums, err := e.Node(ctx, v, s, params, step, tree.Root, nil)
	if err != nil {
		return nil, err
	}
	o.Examples, o.Loss = sums.Examples, math.Float64bits(sums.Loss)
	o.Root = wire.AppendFloats(nil, v)
	return o, nil
}

// ask compares the step with a second opinion. It reports whether both agree, and returns
// the second opinion, or nil if there is none.
func (x *verification) ask(ctx context.Context, e *evidence) (agree bool, second *opinion, err error) {
	if x.Second == nil {
		return false, nil, nil
	}
	first, err := computeOpinion(ctx, x.s.Engine, x.w.Step, x.w.Params())
	if err != nil {
		return false, nil, err
	}
	q, err := x.question(ctx)
	if err != nil {
		return false, nil, err
	}
	o, err := x.Second(ctx, q)
	switch {
	case ctx.Err() != nil:
		return false, nil, ctx.Err()
	case err != nil:
		x.v.Notes = append(x.v.Notes, "the second arithmetic failed: "+job.Sentence(err))
		return false, nil, nil
	case o == nil:
		return false, nil, nil
	case len(o.Leaves) != len(first.Leaves) || len(o.Root) != len(first.Root):
		return false, nil, fmt.Errorf("the second arithmetic has %d micro-batches and %d bytes, want %d and %d: %w",
			len(o.Leaves), len(o.Root), len(first.Leaves), len(first.Root), job.ErrCorrupt)
	}
	second = &opinion{Opinion: o, leaf: -1}
	for i := range o.Leaves {
		if o.Leaves[i] != first.Leaves[i] {
			second.leaf = i
			root := make([]float32, len(o.Root)/4)
			wire.Floats(root, o.Root)
			x.w.Round(root)
			second.explains = !e.partial && e.explains(root, ledger.Sums{Examples: o.Examples, Loss: math.Float64frombits(o.Loss)})
			return false, second, nil
		}
	}
	return true, second, nil
}

// question collects the inputs of the step's computation.
func (x *verification) question(ctx context.Context) (Question, error) {
	q := Question{Plan: x.s.Engine.Plan, Step: x.w.Step, Params: x.w.Params()}
	for _, ref := range x.s.Engine.Blocks(q.Step) {
		data, err := blob.Fetch(ctx, x.s.Store, ref.Digest)
		if err != nil {
			return q, fmt.Errorf("block %s for the second arithmetic: %w", ref.Digest, err)
		}
		q.Blocks = append(q.Blocks, data)
	}
	if init := q.Plan.Init; init != "" && x.s.Engine.Network.Frozen() > 0 { // it has the frozen parameters
		data, err := blob.Fetch(ctx, x.s.Store, init)
		if err != nil {
			return q, fmt.Errorf("initial weights for the second arithmetic: %w", err)
		}
		q.Blocks = append(q.Blocks, data)
	}
	return q, nil
}
