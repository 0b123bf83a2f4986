package model

import (
	"fmt"

	"tributary/shared/job"
)

// Limits of an architecture. With job.MaxParams, they limit what a spec can make a worker
// allocate.
const (
	MaxLayers = 256  // in one list
	MaxNodes  = 1024 // in the whole graph
	MaxUnits  = 1 << 20
)

// New compiles a model for samples with the given input. Its layers become a graph in which
// each node reads the output of the node before. New fails with job.ErrInvalid. Tensors
// have the names of a torch module whose attribute layers is an nn.Sequential; each
// activation counts as a module there.
func New(m job.Model, input Input) (*Network, error) {
	if n := input.Shape.Units; n < 1 {
		return nil, fmt.Errorf("model: %d input features: want at least 1: %w", n, job.ErrInvalid)
	}
	if n := input.Shape.Positions; n < 1 {
		return nil, fmt.Errorf("model: input of %d positions: want at least 1: %w", n, job.ErrInvalid)
	}
	if input.Integers {
		return nil, fmt.Errorf("model: input %q has integers: a dense layer wants numbers: %w", input.Name, job.ErrInvalid)
	}
	if n := len(m.Layers); n < 1 || n > MaxLayers {
		return nil, fmt.Errorf("model.layers: %d layers: want 1 to %d: %w", n, MaxLayers, job.ErrInvalid)
	}
	g := NewGraph(m.Init.Scheme, input)
	if _, err := stack(g, "model.layers", "layers", m.Layers, 0); err != nil {
		return nil, err
	}
	if len(g.n.nodes) > MaxNodes {
		return nil, fmt.Errorf("model.layers: %d nodes: want at most %d: %w", len(g.n.nodes), MaxNodes, job.ErrInvalid)
	}
	return g.Build()
}

// stack adds layers, each after the one before, and returns the last value. path is the
// place of the layers in the spec; name is the attribute of the torch module that has them.
func stack(g *Graph, path, name string, layers []job.Layer, value int) (int, error) {
	module := 0
	for i := range layers {
		var err error
		value, err = addLayer(g, fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("%s.%d", name, module), &layers[i], value)
		if err != nil {
			return 0, err
		}
		module++
		if d := layers[i].Dense; d != nil && d.Activation != "" && d.Activation != job.NoActivation {
			module++
		}
	}
	return value, nil
}

// addLayer adds one layer of a spec and returns its output.
func addLayer(g *Graph, path, name string, l *job.Layer, value int) (int, error) {
	p := plain{g.Shape(value)}
	if len(l.Kinds()) != 1 {
		return 0, fmt.Errorf("%s: %d kinds of layer: want exactly one: %w", path, len(l.Kinds()), job.ErrInvalid)
	}
	switch {
	case l.Dense != nil:
		d, err := NewDense(g.Registry(), path+".dense", name, *l.Dense, p.shape)
		if err != nil {
			return 0, err
		}
		return g.Add(d, value), nil
	case l.LayerNorm != nil:
		return addNorm(g, name, l.LayerNorm, true, value), g.Registry().check(path)
	case l.RMSNorm != nil:
		return addNorm(g, name, l.RMSNorm, false, value), g.Registry().check(path)
	case l.Dropout != nil:
		if r := l.Dropout.Rate; !(r >= 0 && r < 1) {
			return 0, fmt.Errorf("%s.dropout.rate: %v: want at least 0 and below 1: %w", path, r, job.ErrInvalid)
		}
		return g.Add(dropout{p, uint32(len(g.n.nodes)), l.Dropout.Rate}, value), nil
	case l.Residual != nil:
		end, err := stack(g, path+".residual.layers", name+".layers", l.Residual.Layers, value)
		if err != nil {
			return 0, err
		}
		if out := g.Shape(end); out != p.shape {
			return 0, fmt.Errorf("%s.residual: %d units in, %d out: want as many: %w", path, p.shape.Units, out.Units, job.ErrInvalid)
		}
		return g.Add(sum{p}, value, end), nil
	default:
		a, err := compileActivation(path, l.Activation)
		if err != nil {
			return 0, err
		}
		return g.Add(activated{p, a}, value), nil
	}
}
