package vector

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric/isa"
)

// inputs holds the inputs of every kernel at one length. Vectors have several alignments.
type inputs struct {
	a, b, c, d []float32
	words      []uint16
	bytes      []int8
	alpha      float32
}

// drawn returns n elements; of plain ones none is special, so that results are numbers.
func (s *xorshift) drawn(n int, plain bool) inputs {
	in := inputs{alpha: s.vector(1)[0], words: make([]uint16, n), bytes: make([]int8, n)}
	for _, v := range []*[]float32{&in.a, &in.b, &in.c, &in.d} {
		all := s.vector(n + 5)
		if plain {
			for i := range all {
				all[i] = (float32(s.next()>>8)*0x1p-23 - 1) * float32(math.Ldexp(1, int(s.next()%8)-6))
			}
			in.alpha = all[0]
		}
		at := int(s.next() % 5)
		*v = all[at : at+n]
	}
	for i := range n {
		b := s.next()
		in.words[i], in.bytes[i] = uint16(b), int8(b>>16)
	}
	return in
}

// outcome is the result of a kernel for its inputs, in bits.
type outcome []uint64

func (o outcome) floats(v ...float32) outcome {
	for _, x := range v {
		o = append(o, uint64(math.Float32bits(x)))
	}
	return o
}

func (o outcome) doubles(v ...float64) outcome {
	for _, x := range v {
		o = append(o, math.Float64bits(x))
	}
	return o
}

// into returns what f writes to a slice between guard values.
func into(t *testing.T, n int, f func(dst []float32)) []float32 {
	dst, check := guarded(n, n%7)
	f(dst)
	check(t)
	return dst
}

var descents = map[string]Descent{
	"plain": {}, "decay": {Decay: 0.01}, "momentum": {Momentum: 0.9}, "momentum, decay": {Momentum: 0.9, Decay: 0.01},
	"nesterov": {Momentum: 0.9, Nesterov: true}, "nesterov, decay": {Momentum: 0.9, Nesterov: true, Decay: 0.01},
}

// kernels lists all methods of Kernels: the result of each for inputs, with separate
// destinations and with destinations that are arguments.
func kernels(t *testing.T) map[string]func(k *Kernels, in inputs) outcome {
	all := map[string]func(k *Kernels, in inputs) outcome{
		"add": func(k *Kernels, in inputs) outcome {
			a, b := slices.Clone(in.a), slices.Clone(in.b)
			k.Add(a, a, in.b)
			k.Add(b, in.a, b)
			return outcome{}.floats(into(t, len(a), func(dst []float32) { k.Add(dst, in.a, in.b) })...).floats(a...).floats(b...)
		},
		"addRows": func(k *Kernels, in inputs) outcome {
			y := slices.Concat(in.b, in.c, in.d, in.b, in.c, in.d, in.b, in.c, in.d, in.a)
			return outcome{}.floats(into(t, len(in.a), func(dst []float32) {
				for rows := range 11 {
					copy(dst, in.a)
					k.AddRows(dst, y[:rows*len(dst)])
				}
			})...)
		},
		"scale": func(k *Kernels, in inputs) outcome {
			a := slices.Clone(in.a)
			k.Scale(a, a, in.alpha)
			return outcome{}.floats(into(t, len(a), func(dst []float32) { k.Scale(dst, in.a, in.alpha) })...).floats(a...)
		},
		"axpy": func(k *Kernels, in inputs) outcome {
			return outcome{}.floats(into(t, len(in.a), func(dst []float32) { copy(dst, in.b); k.Axpy(dst, in.a, in.alpha) })...)
		},
		"relu": func(k *Kernels, in inputs) outcome {
			a := slices.Clone(in.a)
			k.ReLU(a, a)
			return outcome{}.floats(into(t, len(a), func(dst []float32) { k.ReLU(dst, in.a) })...).floats(a...)
		},
		"reluBackward": func(k *Kernels, in inputs) outcome {
			a, b := slices.Clone(in.a), slices.Clone(in.b)
			k.ReLUBackward(a, a, in.b)
			k.ReLUBackward(b, in.a, b)
			return outcome{}.floats(into(t, len(a), func(dst []float32) { k.ReLUBackward(dst, in.a, in.b) })...).floats(a...).floats(b...)
		},
		"sums": func(k *Kernels, in inputs) outcome {
			return outcome{}.doubles(k.Sum(in.a), k.AbsSum(in.a), k.Squares(in.a), k.Deviations(in.a, 0.3), k.Dot(in.a, in.b), k.Dot(in.a, in.a))
		},
		"maxima": func(k *Kernels, in inputs) outcome { return outcome{}.floats(k.Max(in.a), k.AbsMax(in.a)) },
		"conversions": func(k *Kernels, in inputs) (o outcome) {
			words, bytes := make([]uint16, len(in.a)+1), make([]int8, len(in.a)+1)
			dst := make([]float32, len(in.a))
			record := func() {
				for i := range words {
					o = append(o, uint64(words[i]), uint64(bytes[i]))
				}
				o = o.floats(dst...)
			}
			k.ToFloat16(words, in.a)
			k.ToInt8(bytes, in.a, in.alpha)
			k.FromFloat16(dst, in.words)
			record()
			k.ToBfloat16(words, in.a)
			k.FromBfloat16(dst, in.words)
			record()
			k.FromInt8(dst, in.bytes, in.alpha)
			record()
			return o
		},
	}
	for name, c := range descents {
		all[name] = func(k *Kernels, in inputs) outcome {
			c.Rate, c.Clip = 0.1, in.alpha
			p, m := slices.Clone(in.a), slices.Clone(in.b)
			if c.Momentum == 0 {
				m = nil
			}
			k.Descend(c, p, m, in.c, 7)
			return outcome{}.floats(p...).floats(m...)
		}
	}
	for name, decay := range map[string]float32{"adam": 0, "adam, decay": 0.01} {
		all[name] = func(k *Kernels, in inputs) outcome {
			p, m, v := slices.Clone(in.a), slices.Clone(in.b), slices.Clone(in.c)
			k.Adam(adamConstants(in.alpha, decay), p, m, v, in.d, 7)
			return outcome{}.floats(p...).floats(m...).floats(v...)
		}
	}
	maps.Copy(all, adaptiveKernels(t))
	return all
}

func adamConstants(clip, decay float32) Moments {
	return Moments{
		Beta1: 0.9, Rest1: 0.1, Beta2: 0.999, Rest2: 0.001, Rate: 0.03, Root2: 0.05,
		Epsilon: 1e-8, Decay: decay, Shrink: 0.99, Clip: clip,
	}
}

// kernelSets calls f for the kernels of every instruction set but Go.
func kernelSets(t *testing.T, f func(t *testing.T, own *Kernels)) {
	for _, set := range isa.Available() {
		if set != isa.Go {
			t.Run(string(set), func(t *testing.T) { f(t, Of(set)) })
		}
	}
}

// compare reports every kernel of own whose result for in differs from that of the portable
// code.
func compare(t *testing.T, own *Kernels, in inputs) {
	t.Helper()
	for name, f := range kernels(t) {
		want, got := f(portableKernels, in), f(own, in)
		require.Len(t, got, len(want), name)
		for i := range want {
			if want[i] != got[i] {
				t.Fatalf("%s of %d: result %d: %#x, want %#x", name, len(in.a), i, got[i], want[i])
			}
		}
	}
}

func TestLoopsAreThePortableOnes(t *testing.T) {
	kernelSets(t, func(t *testing.T, own *Kernels) {
		s := xorshift(88172645463325252)
		for round := range 4 {
			for _, n := range lengths() {
				compare(t, own, s.drawn(n, round%2 == 1))
			}
		}
	})
}

// Rows that fit in no cache are read in another way, and added in the same order.
func TestManyRows(t *testing.T) {
	s := xorshift(5)
	y, want, got := s.drawn(cached+64, true).a, make([]float32, 64), make([]float32, 64)
	portableKernels.AddRows(want, y)
	kernelSets(t, func(t *testing.T, own *Kernels) {
		clear(got)
		own.AddRows(got, y)
		equalBits(t, want, got, "sum")
	})
}

// A table that lacks a kernel uses Go without an error.
func TestTablesAreFull(t *testing.T) {
	kernelSets(t, func(t *testing.T, own *Kernels) {
		require.NotContains(t, fmt.Sprintf("%v", *own), "nil")
		require.NotSame(t, portableKernels, own)
	})
}

func FuzzLoops(f *testing.F) {
	f.Add(uint64(1), uint16(33), false)
	f.Add(uint64(2), uint16(16), true)
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, plain bool) {
		kernelSets(t, func(t *testing.T, own *Kernels) {
			s := xorshift(seed | 1)
			compare(t, own, s.drawn(int(n)%3000, plain))
		})
	})
}
