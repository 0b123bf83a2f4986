package model

import (
	"fmt"

	"tributary/shared/job"
)

// Input is a field of a sample that a network reads.
type Input struct {
	Name  string
	Shape Shape
	// Integers marks a field of int32, such as tokens. Other fields are numbers; a layer
	// gets them as float32.
	Integers bool
	// Rows and Units make New embed the integers: each stands for one of so many vectors.
	Rows, Units int
}

// Table returns the input of a network for rows of a table with the given number of feature
// columns.
func Table(features int) Input { return Input{Name: "x", Shape: Shape{Positions: 1, Units: features}} }

// Node is a layer in a graph. Inputs are numbers of values.
type Node struct {
	Layer
	Inputs []int
}

// Network is a compiled architecture: nodes in topological order, and their parameters.
//
// A value is an input of the network or the output of a node. The inputs have the numbers
// 0, 1, …; the outputs of the nodes have the numbers after them, in the order of the nodes.
// The last node gives the outputs of the network. A Network is immutable and safe for
// concurrent use.
type Network struct {
	Registry
	inputs []Input
	nodes  []Node
	uses   []int  // per value: how many inputs of nodes read it
	holder []int  // per value: the last node whose gradient is a product with it, or −1
	learns []bool // per value: it depends on trained parameters
	whole  []int  // the nodes with a Batchwise layer
	width  int
}

// Graph makes a network node by node.
type Graph struct{ n *Network }

// NewGraph returns a graph without nodes. Tensors get the initializers of the scheme.
func NewGraph(scheme job.Scheme, inputs ...Input) *Graph {
	n := &Network{Registry: Registry{scheme: scheme}, inputs: inputs}
	for _, in := range inputs {
		n.value(in.Shape, false)
	}
	return &Graph{n}
}

// Registry returns the registry in which the layers of the graph declare their tensors.
func (g *Graph) Registry() *Registry { return &g.n.Registry }

// Shape returns the shape of a value.
func (g *Graph) Shape(value int) Shape { return g.n.Shape(value) }

// Add appends a node that reads the given values. It returns the number of its output.
func (g *Graph) Add(l Layer, inputs ...int) int {
	n, learns := g.n, !l.Gradient().None()
	for _, v := range inputs {
		n.uses[v]++
		learns = learns || n.learns[v]
	}
	if l.Gradient().Product >= 0 && len(inputs) > 0 {
		n.holder[inputs[0]] = len(n.nodes)
	}
	if _, ok := l.(Batchwise); ok {
		n.whole = append(n.whole, len(n.nodes))
	}
	n.nodes = append(n.nodes, Node{l, inputs})
	return n.value(l.Output(), learns)
}

// value appends a value and returns its number.
func (n *Network) value(s Shape, learns bool) int {
	n.uses, n.holder, n.learns = append(n.uses, 0), append(n.holder, -1), append(n.learns, learns)
	n.width += s.Size()
	return len(n.uses) - 1
}

// Build returns the network. The graph must not be changed afterwards. Build fails with
// job.ErrInvalid if a value has no use, if nothing is trained, or if the inputs of a layer
// do not have the shape that its sums need.
func (g *Graph) Build() (*Network, error) {
	n := g.n
	if len(n.nodes) == 0 {
		return nil, fmt.Errorf("model: no layers: want at least 1: %w", job.ErrInvalid)
	}
	for v, uses := range n.uses[:len(n.uses)-1] {
		if uses == 0 {
			return nil, fmt.Errorf("model: %s has no use: want every value used by a layer: %w", n.name(v), job.ErrInvalid)
		}
	}
	for i, node := range n.nodes {
		if err := n.check(node); err != nil {
			return nil, fmt.Errorf("model: %s: %w: %w", n.name(len(n.inputs)+i), err, job.ErrInvalid)
		}
	}
	if n.params == 0 {
		return nil, fmt.Errorf("model.layers: none is trainable: want at least 1: %w", job.ErrInvalid)
	}
	n.place()
	return n, nil
}

// name names a value for a message.
func (n *Network) name(v int) string {
	if v < len(n.inputs) {
		return fmt.Sprintf("input %q", n.inputs[v].Name)
	}
	return fmt.Sprintf("node %d", v-len(n.inputs))
}

// check fails if the executor cannot compute the sums of a node.
func (n *Network) check(node Node) error {
	g := node.Gradient()
	if g.None() {
		return nil
	}
	if len(node.Inputs) == 0 {
		return fmt.Errorf("no input: want one")
	}
	x, in, out := node.Inputs[0], n.Shape(node.Inputs[0]), node.Output()
	integers := x < len(n.inputs) && n.inputs[x].Integers
	switch {
	case in.Positions != out.Positions:
		return fmt.Errorf("%d positions in, %d out: want as many", in.Positions, out.Positions)
	case g.Scale >= 0 && in.Units != out.Units:
		return fmt.Errorf("%d units in, %d out with a scale: want as many", in.Units, out.Units)
	case g.Scatter >= 0 && (g.Product >= 0 || g.Column >= 0 || g.Scale >= 0):
		return fmt.Errorf("a scatter beside other sums: want it alone")
	case g.Scatter >= 0 && (!integers || in.Units != 1):
		return fmt.Errorf("a scatter by %s: want an input of one integer per position", n.name(x))
	case g.Scatter < 0 && integers:
		return fmt.Errorf("a product with the integers of %s: want an input of numbers", n.name(x))
	}
	return nil
}

// Nodes returns the layers in topological order. The caller must not change them.
func (n *Network) Nodes() []Node { return n.nodes }

// Batchwise lists the nodes whose layer is [Batchwise], in rising order. The caller must not
// change the list.
func (n *Network) Batchwise() []int { return n.whole }

// Inputs returns the fields that the network reads. The caller must not change them.
func (n *Network) Inputs() []Input { return n.inputs }

// Shape returns the shape of a value.
func (n *Network) Shape(value int) Shape {
	if i := value - len(n.inputs); i >= 0 {
		return n.nodes[i].Output()
	}
	return n.inputs[value].Shape
}

// Values returns the number of values.
func (n *Network) Values() int { return len(n.uses) }

// Uses returns how many inputs of nodes read a value.
func (n *Network) Uses(value int) int { return n.uses[value] }

// Learns reports whether a value depends on trained parameters. Only such values are
// differentiated.
func (n *Network) Learns(value int) bool { return n.learns[value] }

// Holder returns the last node whose gradient is a product with a value; −1 if there is
// none.
func (n *Network) Holder(value int) int { return n.holder[value] }

// Features returns the number of columns of the inputs of a network for tables.
func (n *Network) Features() (features int) {
	for _, in := range n.inputs {
		features += in.Shape.Size()
	}
	return features
}

// Output returns the shape of the output: that of the last node.
func (n *Network) Output() Shape { return n.nodes[len(n.nodes)-1].Output() }

// Outputs returns the units of the output.
func (n *Network) Outputs() int { return n.Output().Units }

// Width returns how many numbers one sample has in the whole network: the inputs and the
// outputs of all layers.
func (n *Network) Width() int { return n.width }

// Held returns how many numbers of one sample are in memory while a gradient is computed: the
// inputs and gradients of all layers; with a [Batchwise] layer, all values as well.
func (n *Network) Held() int {
	if len(n.whole) > 0 {
		return 5 * n.width
	}
	return 2 * n.width
}
