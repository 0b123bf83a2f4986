package model

import (
	"fmt"
	"math"
	"slices"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Tensor is a named view of the flat parameter vector: the Len floats from Offset.
type Tensor struct {
	Name        string
	Shape       []int
	Offset, Len int
	Init        Initializer
}

// Initializer makes a tensor's initial values.
type Initializer interface {
	// Fill writes them to v, with random numbers of r.
	Fill(v []float32, r *numeric.Rand)
}

// Zeros is the initializer of zeros.
type Zeros struct{}

// Fill writes zeros.
func (Zeros) Fill(v []float32, _ *numeric.Rand) { clear(v) }

// Uniform is the initializer of U(−Bound, Bound).
type Uniform struct{ Bound float32 }

// Fill writes random numbers.
func (u Uniform) Fill(v []float32, r *numeric.Rand) {
	for i := range v {
		v[i] = r.Symmetric(u.Bound)
	}
}

// registry collects the tensors of a network, which fill the parameter vector without
// gaps in the order in which layers declare them.
type registry struct {
	scheme  job.Scheme
	tensors []Tensor
	params  int
}

// role says what a tensor is to its layer; a scheme treats weights and biases apart.
type role int

const (
	weight role = iota
	bias
)

// add declares a tensor of a layer with so many inputs and outputs, and returns its offset.
func (r *registry) add(name string, what role, fanIn, fanOut int, shape ...int) (offset int) {
	t := Tensor{Name: name, Shape: shape, Offset: r.params, Len: 1, Init: r.initializer(what, fanIn, fanOut)}
	for _, n := range shape {
		t.Len *= n
	}
	r.tensors = append(r.tensors, t)
	r.params += t.Len
	return t.Offset
}

// initializer is that of the scheme for a tensor.
//
// torch_uniform, the default, is PyTorch's nn.Linear: U(±1/√fan_in) for weights and
// biases. glorot_uniform is U(±√(6/(fan_in+fan_out))) for weights (Glorot & Bengio,
// "Understanding the difficulty of training deep feedforward neural networks", 2010,
// eq. 16) and 0 for biases.
func (r *registry) initializer(what role, fanIn, fanOut int) Initializer {
	switch r.scheme {
	case job.Zeros:
		return Zeros{}
	case job.GlorotUniform:
		if what == bias {
			return Zeros{}
		}
		return Uniform{float32(math.Sqrt(6 / float64(fanIn+fanOut)))}
	default:
		return Uniform{float32(1 / math.Sqrt(float64(fanIn)))}
	}
}

// check refuses more parameters than a job may have; path is the layer that was
// declared last.
func (r *registry) check(path string) error {
	if r.params > job.MaxParams {
		return fmt.Errorf("%s.units: %d parameters up to here: want at most %d: %w", path, r.params, job.MaxParams, job.ErrInvalid)
	}
	return nil
}

// Params is P, the length of the flat parameter vector.
func (n *Network) Params() int { return n.params }

// Tensors lists the parameters in declared order.
func (n *Network) Tensors() []Tensor {
	tensors := slices.Clone(n.tensors)
	for i := range tensors {
		tensors[i].Shape = slices.Clone(tensors[i].Shape)
	}
	return tensors
}

// Init writes initial parameters to dst [P]. Each tensor has its own stream of random
// numbers: its values depend on the seed, its place in the order and its initializer
// alone.
func (n *Network) Init(dst []float32, seed uint64) {
	for i, t := range n.tensors {
		t.Init.Fill(dst[t.Offset:t.Offset+t.Len], numeric.NewRand(seed, numeric.ForInit, uint64(i), 0))
	}
}
