package model

import (
	"fmt"
	"math"
	"slices"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Tensor is a named view of a flat vector: Len floats from Offset. The vector is that of
// the trained parameters, or that of the frozen ones.
type Tensor struct {
	Name        string
	Shape       []int
	Group       Group
	Frozen      bool // training does not change it
	Statistic   bool // a running average of what batches have, see [Batchwise]; no gradient
	Offset, Len int
	Taps        int // of a convolution: the vector has [filters, taps, channels], files have [filters, channels, taps]; else 0
	Init        Initializer
	Penalty     job.Regularizer // that training adds to the loss
}

// File returns the elements of the tensor, v [Len], in the order in which files have them.
func (t Tensor) File(v []float32) []float32 {
	if t.Taps < 2 {
		return v
	}
	out := make([]float32, t.Len)
	t.turn(out, v, t.Taps)
	return out
}

// FromFile puts v [Len], in the order in which files have it, into the order of the vector, in
// place.
func (t Tensor) FromFile(v []float32) {
	if t.Taps > 1 {
		t.turn(v, slices.Clone(v), t.Len/t.Shape[0]/t.Taps)
	}
}

// turn transposes the matrix of each filter, which has that many rows.
func (t Tensor) turn(dst, v []float32, rows int) {
	size := t.Len / t.Shape[0]
	for at := 0; at < t.Len; at += size {
		transpose(dst[at:at+size], v[at:at+size], rows, size/rows)
	}
}

// Weights holds all parameters of a network.
type Weights struct {
	Trained []float32 // [P]; the statistics are at its end
	Frozen  []float32 // [F]
}

// Has reports whether the weights have all elements of a tensor.
func (w Weights) Has(t Tensor) bool {
	n := len(w.Trained)
	if t.Frozen {
		n = len(w.Frozen)
	}
	return t.Offset >= 0 && t.Len >= 0 && t.Offset <= n-t.Len
}

// Of returns the part of the weights that is the tensor, [Len].
func (w Weights) Of(t Tensor) []float32 {
	from := w.Trained
	if t.Frozen {
		from = w.Frozen
	}
	return from[t.Offset : t.Offset+t.Len]
}

// Initializer makes the initial values of a tensor.
type Initializer interface {
	// Fill writes the initial values to v, with random numbers from r.
	Fill(v []float32, r *numeric.Rand)
}

// Zeros is the initializer of zeros.
type Zeros struct{}

// Fill writes zeros.
func (Zeros) Fill(v []float32, _ *numeric.Rand) { clear(v) }

// Constant is the initializer of one value.
type Constant struct{ Value float32 }

// Fill writes the value.
func (c Constant) Fill(v []float32, _ *numeric.Rand) {
	for i := range v {
		v[i] = c.Value
	}
}

// Uniform is the initializer of U(−Bound, Bound).
type Uniform struct{ Bound float32 }

// Fill writes random numbers from r.
func (u Uniform) Fill(v []float32, r *numeric.Rand) {
	for i := range v {
		v[i] = r.Symmetric(u.Bound)
	}
}

// Registry collects the tensors of a network. They fill the vectors of the trained and of
// the frozen parameters without gaps, in the order in which layers declare them; but
// statistics come after all other trained ones.
type Registry struct {
	scheme         job.Scheme
	tensors        []*Tensor
	params, frozen int // P (without the statistics until they are placed), F
	statistics     int // S, of the P
}

// Group says what a tensor is for its layer. Initializers, and later optimizers, treat the
// groups differently.
type Group string

// The groups of tensors.
const (
	Weight Group = "weight"
	Bias   Group = "bias"
	Norm   Group = "norm" // scales and offsets of a normalisation
)

// Add declares a tensor of a layer with fanIn inputs and fanOut outputs, and returns it.
func (r *Registry) Add(name string, group Group, frozen bool, fanIn, fanOut int, shape ...int) Tensor {
	return r.add(Tensor{Name: name, Shape: shape, Group: group, Frozen: frozen, Init: r.initializer(group, fanIn, fanOut)})
}

// AddConstant declares a tensor of a normalisation, whose elements are all the same at
// first, whatever the scheme.
func (r *Registry) AddConstant(name string, frozen bool, value float32, shape ...int) Tensor {
	return r.add(Tensor{Name: name, Shape: shape, Group: Norm, Frozen: frozen, Init: Constant{value}})
}

// AddStatistic declares a tensor of running statistics, whose elements are all the same at
// first. Its Offset is known when the graph is built.
func (r *Registry) AddStatistic(name string, frozen bool, value float32, shape ...int) *Tensor {
	r.add(Tensor{Name: name, Shape: shape, Group: Norm, Frozen: frozen, Statistic: !frozen, Init: Constant{value}})
	return r.tensors[len(r.tensors)-1]
}

// place gives the statistics their places, at the end of the trained parameters.
func (r *Registry) place() {
	for _, t := range r.tensors {
		if t.Statistic {
			t.Offset = r.params
			r.params += t.Len
		}
	}
}

// penalize sets the penalty of the tensor that was declared last.
func (r *Registry) penalize(p job.Regularizer) { r.tensors[len(r.tensors)-1].Penalty = p }

// add gives a tensor its place.
func (r *Registry) add(t Tensor) Tensor {
	t.Offset, t.Len = r.params, 1
	for _, n := range t.Shape {
		t.Len *= n
	}
	switch {
	case t.Frozen:
		t.Offset = r.frozen
		r.frozen += t.Len
	case t.Statistic:
		r.statistics += t.Len
	default:
		r.params += t.Len
	}
	r.tensors = append(r.tensors, &t)
	return t
}

// initializer returns the initializer of the scheme for a tensor.
//
// torch_uniform, the default, is PyTorch's nn.Linear: U(±1/√fan_in) for weights and biases.
// glorot_uniform is U(±√(6/(fan_in+fan_out))) for weights (Glorot & Bengio, "Understanding
// the difficulty of training deep feedforward neural networks", 2010, eq. 16) and 0 for
// biases.
func (r *Registry) initializer(group Group, fanIn, fanOut int) Initializer {
	switch r.scheme {
	case job.Zeros:
		return Zeros{}
	case job.GlorotUniform:
		if group == Bias {
			return Zeros{}
		}
		return Uniform{float32(math.Sqrt(6 / float64(fanIn+fanOut)))}
	default:
		return Uniform{float32(1 / math.Sqrt(float64(fanIn)))}
	}
}

// check fails with job.ErrInvalid if there are more parameters than a job may have. path is
// the layer that was declared last.
func (r *Registry) check(path string) error {
	if all := r.params + r.statistics + r.frozen; all > job.MaxParams {
		return fmt.Errorf("%s.units: %d parameters up to here: want at most %d: %w", path, all, job.MaxParams, job.ErrInvalid)
	}
	return nil
}

// Params returns P, the number of trained parameters and statistics: the length of the
// vectors of the ledger.
func (n *Network) Params() int { return n.params }

// Statistics returns S, how many of the P are statistics: the last ones.
func (n *Network) Statistics() int { return n.statistics }

// Frozen returns F, the number of frozen parameters.
func (n *Network) Frozen() int { return n.frozen }

// NewWeights allocates the vectors for the network's parameters.
func (n *Network) NewWeights() Weights {
	return Weights{Trained: make([]float32, n.params), Frozen: make([]float32, n.frozen)}
}

// Tensors lists the parameters in declared order.
func (n *Network) Tensors() []Tensor {
	tensors := make([]Tensor, len(n.tensors))
	for i, t := range n.tensors {
		tensors[i] = *t
		tensors[i].Shape = slices.Clone(t.Shape)
	}
	return tensors
}

// Init writes initial parameters to dst. It skips a vector of dst that is nil. Each tensor
// has its own stream of random numbers. Its values depend only on the seed, its place in
// the order and its initializer.
func (n *Network) Init(dst Weights, seed uint64) {
	for i, t := range n.tensors {
		if t.Frozen && dst.Frozen == nil || !t.Frozen && dst.Trained == nil {
			continue
		}
		t.Init.Fill(dst.Of(*t), numeric.NewRand(seed, numeric.ForInit, uint64(i), 0))
	}
}
