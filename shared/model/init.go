package model

import (
	"math"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Init writes initial parameters to dst [P]. Each tensor has its own stream of
// random numbers, so its values depend on the seed, its place in the order and
// its fans alone. An unknown scheme is as the default, torch_uniform.
func (n *Network) Init(dst []float32, scheme job.Scheme, seed uint64) {
	for i, t := range n.tensors {
		v := dst[t.Offset : t.Offset+t.Len]
		b := bound(scheme, t)
		if b == 0 {
			clear(v)
			continue
		}
		r := numeric.NewRand(seed, numeric.ForInit, uint64(i), 0)
		for j := range v {
			v[j] = r.Symmetric(b)
		}
	}
}

// bound is b of U(±b), the distribution of a tensor's initial values.
//
// torch_uniform is PyTorch's nn.Linear, 1/√fan_in for weights and biases;
// glorot_uniform √(6/(fan_in+fan_out)) for weights (Glorot & Bengio,
// "Understanding the difficulty of training deep feedforward neural networks",
// 2010, eq. 16), 0 for biases.
func bound(scheme job.Scheme, t Tensor) float32 {
	switch scheme {
	case job.Zeros:
		return 0
	case job.GlorotUniform:
		if len(t.Shape) == 1 {
			return 0
		}
		return float32(math.Sqrt(6 / float64(t.FanIn+t.FanOut)))
	default:
		return float32(1 / math.Sqrt(float64(t.FanIn)))
	}
}
