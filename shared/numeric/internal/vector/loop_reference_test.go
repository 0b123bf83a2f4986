package vector

import (
	"maps"
	"math"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

// These references follow the specification literally. Each rounding to float32 goes
// through float64. For +, −, ·, ÷ and √ of float32, rounding twice gives the same as
// rounding once (Figueroa, "When is double rounding innocuous?", 1995).

// once rounds v to float32.
func once(v float64) float32 {
	if math.IsNaN(v) {
		return math.Float32frombits(0x7fc00000)
	}
	return float32(v)
}

func plus(a, b float32) float32  { return once(float64(a) + float64(b)) }
func minus(a, b float32) float32 { return once(float64(a) - float64(b)) }
func times(a, b float32) float32 { return once(float64(float64(a) * float64(b))) }
func over(a, b float32) float32  { return once(float64(a) / float64(b)) }

// laneSum returns the sum of one term per element, in 16 lanes.
func laneSum(n int, term func(i int) float64) float64 {
	var lanes [16]float64
	for lane := range 16 {
		for i := lane; i < n; i += 16 {
			lanes[lane] += term(i)
		}
	}
	l := lanes
	for j := range 8 {
		l[j] = lanes[j] + lanes[j+8]
	}
	s := ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
	if math.IsNaN(s) {
		return math.Float64frombits(0x7ff8000000000000)
	}
	return s
}

// references are the results of the kernels of the same names for inputs.
var references = map[string]func(in inputs) outcome{
	"add": func(in inputs) (o outcome) {
		for i := range in.a {
			o = o.floats(plus(in.a[i], in.b[i]))
		}
		return slices.Concat(o, o, o)
	},
	"addRows": func(in inputs) (o outcome) {
		for i, v := range in.a {
			for range 3 {
				v = plus(plus(plus(v, in.b[i]), in.c[i]), in.d[i])
			}
			o = o.floats(plus(v, in.a[i]))
		}
		return o
	},
	"scale": func(in inputs) (o outcome) {
		for _, x := range in.a {
			o = o.floats(times(in.alpha, x))
		}
		return slices.Concat(o, o)
	},
	"relu": func(in inputs) (o outcome) {
		for _, x := range in.a {
			o = o.floats(once(max(float64(x), 0)))
		}
		return slices.Concat(o, o)
	},
	"reluBackward": func(in inputs) (o outcome) {
		for i, d := range in.a {
			switch y := in.b[i]; {
			case y > 0, y != y:
				o = o.floats(once(float64(d)))
			default:
				o = o.floats(0)
			}
		}
		return slices.Concat(o, o, o)
	},
	"sums": func(in inputs) outcome {
		n, a := len(in.a), func(i int) float64 { return float64(in.a[i]) }
		return outcome{}.doubles(
			laneSum(n, a),
			laneSum(n, func(i int) float64 { return math.Abs(a(i)) }),
			laneSum(n, func(i int) float64 { return a(i) * a(i) }),
			laneSum(n, func(i int) float64 { return (a(i) - 0.3) * (a(i) - 0.3) }),
			laneSum(n, func(i int) float64 { return a(i) * float64(in.b[i]) }),
			laneSum(n, func(i int) float64 { return a(i) * a(i) }),
		)
	},
	"maxima": func(in inputs) outcome { // math.Max has +0 above −0
		top, size := math.Inf(-1), 0.0
		for _, x := range in.a {
			top, size = math.Max(top, float64(x)), math.Max(size, math.Abs(float64(x)))
			if x != x { // math.Max puts +Inf above NaN
				top, size = math.NaN(), math.NaN()
				break
			}
		}
		return outcome{}.floats(once(top), once(size))
	},
	"adam":        func(in inputs) outcome { return adamReference(in, 0) },
	"adam, decay": func(in inputs) outcome { return adamReference(in, 0.01) },
}

func descentReference(c Descent, in inputs) outcome {
	p, m := slices.Clone(in.a), slices.Clone(in.b)
	for i := range p {
		g := times(over(in.c[i], 7), in.alpha)
		if c.Decay != 0 {
			g = plus(g, times(c.Decay, p[i]))
		}
		if c.Momentum != 0 {
			m[i] = plus(times(c.Momentum, m[i]), g)
			if c.Nesterov {
				g = plus(g, times(c.Momentum, m[i]))
			} else {
				g = m[i]
			}
		}
		p[i] = minus(p[i], times(0.1, g))
	}
	if c.Momentum == 0 {
		m = nil
	}
	return outcome{}.floats(p...).floats(m...)
}

func adamReference(in inputs, decay float32) outcome {
	c := adamConstants(in.alpha, decay)
	p, m, v := slices.Clone(in.a), slices.Clone(in.b), slices.Clone(in.c)
	for i := range p {
		g := times(over(in.d[i], 7), c.Clip)
		if decay != 0 {
			g = plus(g, times(decay, p[i]))
		}
		m[i] = plus(times(c.Beta1, m[i]), times(c.Rest1, g))
		v[i] = plus(times(c.Beta2, v[i]), times(c.Rest2, times(g, g)))
		root := over(once(math.Sqrt(float64(v[i]))), c.Root2)
		p[i] = minus(times(p[i], c.Shrink), over(times(c.Rate, m[i]), plus(root, c.Epsilon)))
	}
	return outcome{}.floats(p...).floats(m...).floats(v...)
}

func TestPortableLoopsAreTheSpecification(t *testing.T) {
	for name, c := range descents {
		references[name] = func(in inputs) outcome { return descentReference(c, in) }
	}
	maps.Copy(references, adaptiveReferences)
	all, s := kernels(t), xorshift(2463534242)
	for name := range all {
		if name == "axpy" || name == "conversions" {
			continue // package fma's tests, and those below
		}
		require.Contains(t, references, name)
	}
	for round := range 6 {
		for _, n := range lengths() {
			in := s.drawn(n, round%2 == 1)
			for name, reference := range references {
				if want, got := reference(in), all[name](portableKernels, in); !slices.Equal(want, got) {
					require.Equal(t, want, got, "%s of %d", name, n)
				}
			}
		}
	}
}

// nearest returns the code whose value is nearest to x, or the even one of two. values are
// those of the codes 0, 1, …; all are ≥ 0 and increasing, and the last is infinite. nearest
// treats the last as the value that would follow the one before it.
func nearest(values []float64, x float64) int {
	last := len(values) - 1
	at := sort.SearchFloat64s(values, x)
	if at == 0 || values[at] == x {
		return at
	}
	above := values[at]
	if at == last {
		above = 2*values[last-1] - values[last-2]
	}
	low, high := x-values[at-1], above-x
	if low < high || low == high && at%2 == 1 {
		return at - 1
	}
	return at
}

// magnitudes are the values of a format's codes from 0 to infinity.
func magnitudes(exponentBits, fractionBits int) []float64 {
	var v []float64
	bias := 1<<(exponentBits-1) - 1
	for e := range 1<<exponentBits - 1 {
		for f := range 1 << fractionBits {
			if e == 0 {
				v = append(v, math.Ldexp(float64(f), 1-bias-fractionBits))
			} else {
				v = append(v, math.Ldexp(float64(1<<fractionBits+f), e-bias-fractionBits))
			}
		}
	}
	return append(v, math.Inf(1))
}

// Both formats, for float32 between neighbouring values and in the middle of them, and for
// random bits.
func TestHalvesAreTheNearest(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		nan    uint16
		to     func(k *Kernels, dst []uint16, x []float32)
		from   func(k *Kernels, dst []float32, x []uint16)
	}{
		"float16":  {magnitudes(5, 10), 0x7e00, (*Kernels).ToFloat16, (*Kernels).FromFloat16},
		"bfloat16": {magnitudes(8, 7), 0x7fc0, (*Kernels).ToBfloat16, (*Kernels).FromBfloat16},
	} {
		t.Run(name, func(t *testing.T) {
			s := xorshift(314159)
			var x []float32
			for i, v := range c.values[:len(c.values)-1] {
				next := c.values[i+1]
				if math.IsInf(next, 1) {
					next = 2*v - c.values[i-1]
				}
				middle := float32((v + next) / 2)
				for _, y := range []float32{float32(v), middle, math.Nextafter32(middle, 0), math.Nextafter32(middle, math.MaxFloat32)} {
					x = append(x, y, -y)
				}
			}
			x = append(x, special()...)
			for range 20000 {
				x = append(x, math.Float32frombits(s.next()))
			}
			got := make([]uint16, len(x))
			c.to(portableKernels, got, x)
			for i, v := range x {
				want := c.nan
				if v == v {
					want = uint16(nearest(c.values, math.Abs(float64(v)))) | uint16(math.Float32bits(v)>>16)&0x8000
				}
				if want != got[i] {
					t.Fatalf("%x: %#x, want %#x", v, got[i], want)
				}
			}

			// Also convert all codes back.
			codes, back := make([]uint16, 1<<16), make([]float32, 1<<16)
			for i := range codes {
				codes[i] = uint16(i)
			}
			c.from(portableKernels, back, codes)
			for i, v := range back {
				want := once(math.NaN())
				if m := i & 0x7fff; m < len(c.values) {
					want = float32(math.Copysign(c.values[m], 0.5-float64(i>>15)))
				}
				if math.Float32bits(want) != math.Float32bits(v) {
					t.Fatalf("%#x: %x, want %x", i, v, want)
				}
			}
		})
	}
}

// Every code of both formats, on every instruction set.
func TestAllHalvesOnEverySet(t *testing.T) {
	codes, want, got := make([]uint16, 1<<16), make([]float32, 1<<16), make([]float32, 1<<16)
	for i := range codes {
		codes[i] = uint16(i)
	}
	kernelSets(t, func(t *testing.T, own *Kernels) {
		for _, from := range []func(k *Kernels, dst []float32, x []uint16){(*Kernels).FromFloat16, (*Kernels).FromBfloat16} {
			from(portableKernels, want, codes)
			from(own, got, codes)
			equalBits(t, want, got, "code")
		}
	})
}

func TestInt8HandValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x := []float32{0, 1, -1, 2.5, 3.5, -2.5, 127, 127.4, 127.6, -128, 1e30, -inf, inf, nan, 0.5, 1.5}
	want := []int8{0, 1, -1, 2, 4, -2, 127, 127, 127, -127, 127, -127, 127, 0, 0, 2}
	kernelSets(t, func(t *testing.T, own *Kernels) {
		got := make([]int8, len(x))
		own.ToInt8(got, x, 1)
		require.Equal(t, want, got)
		own.ToInt8(got, x, 0) // x/0 is ±Inf, of 0 and of NaN it is NaN
		require.Equal(t, []int8{0, 127, -127, 127}, got[:4])
		back := make([]float32, len(x))
		own.FromInt8(back, want, 0.5)
		require.Equal(t, []float32{0, 0.5, -0.5, 1, 2}, back[:5])
	})
	got := make([]int8, len(x))
	portableKernels.ToInt8(got, x, 1)
	require.Equal(t, want, got)
}

// The test checks all float32 with -exhaustive, otherwise a sample in blocks.
func TestConversionsOverAllNumbers(t *testing.T) {
	kernelSets(t, func(t *testing.T, own *Kernels) {
		const block = 1024
		x, want, got := make([]float32, block), make([]uint16, block), make([]uint16, block)
		step := stride()
		for at := uint64(0); at < 1<<32; at += block * step {
			for i := range x {
				x[i] = ordered((at + uint64(i)*step) % (1 << 32))
			}
			for _, to := range []func(k *Kernels, dst []uint16, x []float32){(*Kernels).ToFloat16, (*Kernels).ToBfloat16} {
				to(portableKernels, want, x)
				to(own, got, x)
				if !slices.Equal(want, got) {
					require.Equal(t, want, got)
				}
			}
		}
	})
}
