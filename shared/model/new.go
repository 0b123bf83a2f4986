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

// New compiles a model for samples with the given inputs. Its layers become a graph in which
// each node reads the output of the node before. Before them, integers are embedded, and
// several inputs become one. New fails with job.ErrInvalid. Tensors
// have the names of a torch module whose attribute layers is an nn.Sequential; each
// activation counts as a module there.
func New(m job.Model, inputs ...Input) (*Network, error) {
	if len(inputs) == 0 {
		return nil, fmt.Errorf("model: no input features: want at least 1: %w", job.ErrInvalid)
	}
	for _, input := range inputs {
		if n := input.Shape.Units; n < 1 {
			return nil, fmt.Errorf("model: %d input features: want at least 1: %w", n, job.ErrInvalid)
		}
		if n := input.Shape.Positions; n < 1 {
			return nil, fmt.Errorf("model: input of %d positions: want at least 1: %w", n, job.ErrInvalid)
		}
	}
	g := NewGraph(m.Init.Scheme, inputs...)
	value, err := front(g, inputs)
	if err != nil {
		return nil, err
	}
	if _, err := stack(g, "model.layers", "layers", m.Layers, value, job.MaxNesting); err != nil {
		return nil, err
	}
	return g.Build()
}

// stack adds layers, each after the one before, and returns the last value. path is the
// place of the layers in the spec; name is the attribute of the torch module that has them.
// depth is how deep residuals may still be nested.
func stack(g *Graph, path, name string, layers []job.Layer, value, depth int) (int, error) {
	if n := len(layers); n < 1 || n > MaxLayers {
		return 0, fmt.Errorf("%s: %d layers: want 1 to %d: %w", path, n, MaxLayers, job.ErrInvalid)
	}
	module := 0
	for i := range layers {
		var err error
		value, err = addLayer(g, fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("%s.%d", name, module), &layers[i], value, depth)
		if err != nil {
			return 0, err
		}
		module++
		if _, d := layers[i].Product(); d != nil && d.Activation != "" && d.Activation != job.NoActivation {
			module++
		}
	}
	return value, nil
}

// addLayer adds one layer of a spec and returns its output.
func addLayer(g *Graph, path, name string, l *job.Layer, value, depth int) (int, error) {
	if len(g.n.nodes) >= MaxNodes {
		return 0, fmt.Errorf("%s: the network has %d nodes before it: want at most %d in all: %w", path, len(g.n.nodes), MaxNodes, job.ErrInvalid)
	}
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
		return addNorm(g, path+".layer_norm", name, l.LayerNorm, 1, true, value)
	case l.GroupNorm != nil:
		return addNorm(g, path+".group_norm", name, &l.GroupNorm.Norm, l.GroupNorm.Groups, true, value)
	case l.RMSNorm != nil:
		return addNorm(g, path+".rms_norm", name, l.RMSNorm, 1, false, value)
	case l.BatchNorm != nil:
		return addBatchNorm(g, path+".batch_norm", name, l.BatchNorm, value)
	case l.Dropout != nil:
		if r := l.Dropout.Rate; !(r >= 0 && r < 1) {
			return 0, fmt.Errorf("%s.dropout.rate: %v: want at least 0 and below 1: %w", path, r, job.ErrInvalid)
		}
		return g.Add(dropout{p, uint32(len(g.n.nodes)), l.Dropout.Rate}, value), nil
	case l.Residual != nil:
		if depth == 0 {
			return 0, fmt.Errorf("%s.residual: %d residuals around it: want at most %d: %w", path, job.MaxNesting, job.MaxNesting, job.ErrInvalid)
		}
		end, err := stack(g, path+".residual.layers", name+".layers", l.Residual.Layers, value, depth-1)
		if err != nil {
			return 0, err
		}
		if out := g.Shape(end); out != p.shape {
			return 0, fmt.Errorf("%s.residual: %d units in, %d out: want as many: %w", path, p.shape.Units, out.Units, job.ErrInvalid)
		}
		return g.Add(sum{p}, value, end), nil
	case l.Images():
		return addImageLayer(g, path, name, l, value)
	default:
		a, err := compileActivation(path, l.Activation)
		if err != nil {
			return 0, err
		}
		return g.Add(activated{p, a}, value), nil
	}
}
