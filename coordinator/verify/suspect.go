package verify

import (
	"context"
	"fmt"
	"math"
	"slices"

	"tributary/shared/gradient"
	"tributary/shared/ledger"
	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// evidence is a node's sum whose record differs from the computation here.
type evidence struct {
	node         tree.Node
	partial      bool
	root         []float32 // computed here [P]
	sums         ledger.Sums
	recorded     []float32 // nil if only its mark is left
	recordedSums ledger.Sums
	// explains reports whether the record belongs to exactly this sum.
	explains func(root []float32, sums ledger.Sums) bool
}

func (e *evidence) holder() string {
	if e.partial {
		return "the ledger"
	}
	return "the log"
}

// maxPairs is the maximum number of micro-batches for which suspect tries each in place
// of each other.
const maxPairs = 16

// leaf is a micro-batch's partial.
type leaf struct {
	v    []float32
	sums ledger.Sums
}

// node computes a node of the next step.
func (x *verification) node(ctx context.Context, dst []float32, n tree.Node, params []float32) (ledger.Sums, error) {
	return x.s.Engine.Node(ctx, dst, gradient.NewScratch(), params, x.w.Step, n, nil)
}

// leaves computes each micro-batch of a node separately.
func (x *verification) leaves(ctx context.Context, n tree.Node, params []float32) ([]leaf, error) {
	m := x.s.Layout.Microbatch
	lo, hi, _ := n.Leaves(m)
	list := make([]leaf, hi-lo)
	for i := range list {
		list[i].v = make([]float32, x.s.Layout.Params)
		var err error
		if list[i].sums, err = x.node(ctx, list[i].v, leafNode(m, lo+i), params); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// leafNode returns the node of a micro-batch in a tree of m.
func leafNode(m, leaf int) tree.Node {
	n := tree.Root
	for {
		lo, hi, _ := n.Leaves(m)
		if hi-lo == 1 {
			return n
		}
		if n = n.Left(); leaf >= tree.Split(lo, hi) {
			n++
		}
	}
}

// trial is a possible fault. leaf is its micro-batch, counted from the node's first, or
// -1. what describes the fault. leaves are the micro-batches with the fault.
type trial struct {
	leaf   int
	what   string
	leaves []leaf
}

// suspect tries possible faults to find the micro-batch that explains the record. It
// returns its index, or -1 if that is unknown, and its findings as sentences.
func (x *verification) suspect(ctx context.Context, e *evidence) (found int, why []string, err error) {
	lo, hi, _ := e.node.Leaves(x.s.Layout.Microbatch)
	if hi-lo == 1 {
		return lo, nil, nil
	}
	if x.s.Layout.Wire.Lossy() {
		return -1, []string{"with a lossy wire its micro-batches are not tried one by one"}, nil
	}
	if int64(hi-lo)*int64(len(e.root))*4 > leafBytes {
		return -1, []string{fmt.Sprintf("its micro-batches take more than %d bytes and were not tried one by one", leafBytes)}, nil
	}
	leaves, err := x.leaves(ctx, e.node, x.w.Params())
	if err != nil {
		return -1, nil, err
	}
	if v, sums := total(leaves); sums != e.sums || differ(v, e.root) {
		return -1, []string{"this machine computes one sum in one pass and another sum from micro-batches one by one"}, nil
	}
	for t, err := range x.trials(ctx, e, leaves) {
		if err != nil {
			return -1, nil, err
		}
		v, sums := total(t.leaves)
		if !e.explains(v, sums) {
			continue
		}
		if t.leaf < 0 {
			return -1, []string{"the recorded value results if " + t.what}, nil
		}
		return lo + t.leaf, []string{fmt.Sprintf("the recorded value results if micro-batch %d %s", lo+t.leaf, t.what)}, nil
	}
	switch nodes := flipped(e, leaves); {
	case len(nodes) > 1:
		return -1, []string{fmt.Sprintf("one flipped bit in any one of %d partials gives the recorded value", len(nodes))}, nil
	case len(nodes) == 1:
		first, last, _ := nodes[0].Leaves(hi - lo)
		if last-first == 1 {
			return lo + first, []string{fmt.Sprintf("the recorded value results if one bit of micro-batch %d is flipped", lo+first)}, nil
		}
		return -1, []string{fmt.Sprintf("the recorded value results if one bit in the sum of micro-batches %d to %d is flipped", lo+first, lo+last-1)}, nil
	}
	return -1, []string{"the sum does not show which micro-batch is wrong"}, nil
}

func differ(a, b []float32) bool {
	n, _ := unequal(a, b)
	return n > 0
}

// trials yields the possible faults.
func (x *verification) trials(ctx context.Context, e *evidence, leaves []leaf) func(yield func(trial, error) bool) {
	zero := make([]float32, len(e.root))
	with := func(i int, l leaf) []leaf {
		changed := slices.Clone(leaves)
		changed[i] = l
		return changed
	}
	return func(yield func(trial, error) bool) {
		for i, l := range leaves {
			if !yield(trial{i, "is left out", with(i, leaf{v: zero})}, nil) ||
				!yield(trial{i, "has a gradient of zero", with(i, leaf{zero, l.sums})}, nil) ||
				!yield(trial{i, "is counted twice", with(i, leaf{sum(l.v, l.v), l.sums.Add(l.sums)})}, nil) {
				return
			}
		}
		if x.before != nil {
			stale, err := x.leaves(ctx, e.node, x.before)
			for i := range stale {
				if !yield(trial{i, "is computed from the parameters of the step before", with(i, stale[i])}, nil) {
					return
				}
			}
			if !yield(trial{-1, "all of it is computed from the parameters of the step before", stale}, err) {
				return
			}
		}
		for i := range leaves {
			for k := range leaves {
				if i != k && len(leaves) <= maxPairs && !yield(trial{i, fmt.Sprintf("has the gradient of the %s", ordinal(k-i)), with(i, leaves[k])}, nil) {
					return
				}
			}
		}
	}
}

func ordinal(offset int) string {
	if offset < 0 {
		return fmt.Sprintf("one %d before it", -offset)
	}
	return fmt.Sprintf("one %d after it", offset)
}

func sum(a, b []float32) []float32 {
	v := make([]float32, len(a))
	numeric.Add(v, a, b)
	return v
}

// total sums micro-batches along the tree whose leaves they are.
func total(leaves []leaf) ([]float32, ledger.Sums) {
	if len(leaves) == 1 {
		return leaves[0].v, leaves[0].sums
	}
	mid := tree.Split(0, len(leaves))
	l, ls := total(leaves[:mid])
	r, rs := total(leaves[mid:])
	return sum(l, r), ls.Add(rs)
}

// flipped returns the nodes below e's node in which one flipped bit explains the only
// element that differs. Their numbers count as if e's node were the root.
func flipped(e *evidence, leaves []leaf) []tree.Node {
	if e.recorded == nil || e.sums != e.recordedSums {
		return nil
	}
	n, at := unequal(e.recorded, e.root)
	if n != 1 {
		return nil
	}
	var found []tree.Node
	var visit func(n tree.Node)
	visit = func(n tree.Node) {
		lo, hi, ok := n.Leaves(len(leaves))
		if !ok {
			return
		}
		visit(n.Left())
		visit(n.Right())
		v, _ := total(elements(leaves[lo:hi], at))
		for bit := range 32 {
			wrong := math.Float32frombits(math.Float32bits(v[0]) ^ 1<<bit)
			if math.Float32bits(rootElement(leaves, n, at, wrong)) == math.Float32bits(e.recorded[at]) {
				found = append(found, n)
				break
			}
		}
	}
	visit(tree.Root)
	return found
}

// elements returns one element of each micro-batch.
func elements(leaves []leaf, at int) []leaf {
	ones := make([]leaf, len(leaves))
	for i := range leaves {
		ones[i] = leaf{v: leaves[i].v[at : at+1]}
	}
	return ones
}

// rootElement returns the root's element if the element of node n is v.
func rootElement(leaves []leaf, n tree.Node, at int, v float32) float32 {
	for n > tree.Root {
		lo, hi, _ := n.Sibling().Leaves(len(leaves))
		other, _ := total(elements(leaves[lo:hi], at))
		if n == n.Parent().Left() {
			v += other[0]
		} else {
			v = other[0] + v
		}
		n = n.Parent()
	}
	return v
}
