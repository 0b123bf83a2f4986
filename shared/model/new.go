package model

import (
	"fmt"

	"tributary/shared/job"
)

// Limits of an architecture. With job.MaxParams, they limit what a spec can make a worker
// allocate.
const (
	MaxLayers = 256
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
	value, module := 0, 0
	for i, l := range m.Layers {
		path := fmt.Sprintf("model.layers[%d].dense", i)
		if l.Dense == nil {
			return nil, fmt.Errorf("%s: missing; it is the one kind of layer: %w", path, job.ErrInvalid)
		}
		d, err := NewDense(g.Registry(), path, fmt.Sprintf("layers.%d", module), *l.Dense, g.Shape(value))
		if err != nil {
			return nil, err
		}
		value, module = g.Add(d, value), module+1
		if a := l.Dense.Activation; a != "" && a != job.NoActivation {
			module++
		}
	}
	return g.Build()
}
