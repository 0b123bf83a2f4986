package model

import (
	"fmt"
	"strings"

	"tributary/shared/job"
)

// The bounds of an architecture: what a spec may ask a worker to allocate, beside
// job.MaxParams.
const (
	MaxLayers = 256
	MaxUnits  = 1 << 20
)

// Tensor is a named view of the flat parameter vector: the Len floats from Offset.
type Tensor struct {
	Name          string
	Shape         []int
	Offset, Len   int
	FanIn, FanOut int // of the layer it belongs to
}

// Network is a compiled architecture. It is immutable and safe for concurrent
// use.
type Network struct {
	layers   []dense
	tensors  []Tensor
	loss     job.Loss
	params   int
	features int
	width    int // Σ of the features and the layers' outputs
}

// New compiles a model for rows of features columns. Tensors are named as in a
// torch module whose attribute layers is an nn.Sequential, in which each
// activation counts as a module.
func New(m job.Model, loss job.Loss, features int) (*Network, error) {
	if features < 1 {
		return nil, fmt.Errorf("model: %d input features: want at least 1: %w", features, job.ErrInvalid)
	}
	if n := len(m.Layers); n < 1 || n > MaxLayers {
		return nil, fmt.Errorf("model.layers: %d layers: want 1 to %d: %w", n, MaxLayers, job.ErrInvalid)
	}
	n := &Network{loss: loss, features: features, width: features}
	inputs, module := features, 0
	for i, l := range m.Layers {
		path := fmt.Sprintf("model.layers[%d].dense", i)
		if l.Dense == nil {
			return nil, fmt.Errorf("%s: missing; it is the one kind of layer: %w", path, job.ErrInvalid)
		}
		d, err := newDense(path, *l.Dense, inputs, n.params)
		if err != nil {
			return nil, err
		}
		n.extend(d, module)
		if n.params > job.MaxParams {
			return nil, fmt.Errorf("%s.units: %d parameters up to here: want at most %d: %w", path, n.params, job.MaxParams, job.ErrInvalid)
		}
		inputs, module = d.out, module+1
		if d.activation != job.NoActivation {
			module++
		}
	}
	if err := n.checkLoss(len(m.Layers) - 1); err != nil {
		return nil, err
	}
	return n, nil
}

// extend adds a layer and its tensors; module is its index in nn.Sequential.
func (n *Network) extend(d dense, module int) {
	add := func(name string, offset int, shape ...int) {
		length := 1
		for _, s := range shape {
			length *= s
		}
		n.tensors = append(n.tensors, Tensor{
			Name: fmt.Sprintf("layers.%d.%s", module, name), Shape: shape,
			Offset: offset, Len: length, FanIn: d.in, FanOut: d.out,
		})
		n.params = offset + length
	}
	add("weight", d.weight, d.out, d.in)
	if d.bias >= 0 {
		add("bias", d.bias, d.out)
	}
	n.layers = append(n.layers, d)
	n.width += d.out
}

// checkLoss reports a loss the last layer's outputs cannot be given to.
func (n *Network) checkLoss(last int) error {
	path, units := fmt.Sprintf("model.layers[%d].dense.units", last), n.Outputs()
	switch n.loss {
	case job.SoftmaxCrossEntropy:
		if units < 2 {
			return fmt.Errorf("%s: %d: %s wants an output per class, at least 2: %w", path, units, n.loss, job.ErrInvalid)
		}
	case job.SigmoidCrossEntropy:
		if units != 1 {
			return fmt.Errorf("%s: %d: %s wants exactly 1: %w", path, units, n.loss, job.ErrInvalid)
		}
	case job.MSE, job.HalfSquaredError:
	default:
		allowed := []string{string(job.SoftmaxCrossEntropy), string(job.SigmoidCrossEntropy), string(job.MSE), string(job.HalfSquaredError)}
		return fmt.Errorf("loss: %.40q: want %s: %w", string(n.loss), strings.Join(allowed, ", "), job.ErrInvalid)
	}
	return nil
}

// Params is P, the length of the flat parameter vector.
func (n *Network) Params() int { return n.params }

// Features is the number of columns of the input.
func (n *Network) Features() int { return n.features }

// Outputs is the number of columns of the output, the units of the last layer.
func (n *Network) Outputs() int { return n.layers[len(n.layers)-1].out }

// Tensors lists the parameters in declared order; they fill the vector without gaps.
func (n *Network) Tensors() []Tensor {
	tensors := make([]Tensor, len(n.tensors))
	for i, t := range n.tensors {
		t.Shape = append([]int(nil), t.Shape...)
		tensors[i] = t
	}
	return tensors
}
