package model

import (
	"fmt"
	"slices"

	"tributary/shared/job"
)

// Limits of an architecture. With job.MaxParams, they limit what a spec can make a worker
// allocate.
const (
	MaxLayers = 256
	MaxUnits  = 1 << 20
)

// Node is a layer in a graph. Its input is the output of an earlier node.
type Node struct {
	Layer
	Input int // the number of a node; −1: the features of the sample
}

// Network is a compiled architecture: nodes in topological order, and their parameters. The
// last node gives the outputs. It is immutable and safe for concurrent use.
type Network struct {
	registry
	nodes    []Node
	features int
	width    int
}

// New compiles a model for rows with the given number of feature columns. It fails with
// job.ErrInvalid. Tensors have the names of a torch module whose attribute layers is an
// nn.Sequential; each activation counts as a module there.
func New(m job.Model, features int) (*Network, error) {
	if features < 1 {
		return nil, fmt.Errorf("model: %d input features: want at least 1: %w", features, job.ErrInvalid)
	}
	if n := len(m.Layers); n < 1 || n > MaxLayers {
		return nil, fmt.Errorf("model.layers: %d layers: want 1 to %d: %w", n, MaxLayers, job.ErrInvalid)
	}
	n := &Network{registry: registry{scheme: m.Init.Scheme}, features: features, width: features}
	inputs, module := features, 0
	for i, l := range m.Layers {
		path := fmt.Sprintf("model.layers[%d].dense", i)
		if l.Dense == nil {
			return nil, fmt.Errorf("%s: missing; it is the one kind of layer: %w", path, job.ErrInvalid)
		}
		d, err := newDense(&n.registry, path, fmt.Sprintf("layers.%d", module), *l.Dense, inputs)
		if err != nil {
			return nil, err
		}
		n.nodes = append(n.nodes, Node{Layer: d, Input: i - 1})
		n.width += d.out
		inputs, module = d.out, module+1
		if d.activation != job.NoActivation {
			module++
		}
	}
	if n.params == 0 {
		return nil, fmt.Errorf("model.layers: none is trainable: want at least 1: %w", job.ErrInvalid)
	}
	return n, nil
}

// Nodes returns the layers in topological order. The caller must not change them.
func (n *Network) Nodes() []Node { return n.nodes }

// Trained returns the first node that has trained parameters. Nothing is differentiated
// before this node.
func (n *Network) Trained() int {
	return slices.IndexFunc(n.nodes, func(node Node) bool { return !node.Gradient().None() })
}

// Source returns the shape of a node's input.
func (n *Network) Source(node int) Shape {
	if from := n.nodes[node].Input; from >= 0 {
		return n.nodes[from].Output()
	}
	return Shape{Positions: 1, Units: n.features}
}

// Features returns the number of columns of the input.
func (n *Network) Features() int { return n.features }

// Outputs returns the number of columns of the output: the units of the last layer.
func (n *Network) Outputs() int { return n.nodes[len(n.nodes)-1].Output().Units }

// Width returns how many numbers one sample has in the whole network: its features and the
// outputs of all layers.
func (n *Network) Width() int { return n.width }
