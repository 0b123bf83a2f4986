package vector

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric/isa"
)

// special returns float32 at which the behaviour changes: zeros, subnormal numbers, powers
// of two, ends of ranges, infinities and NaNs with payloads.
func special() []float32 {
	var s []float32
	for _, bits := range []uint32{
		0, 1, 2, 0x007fffff, 0x00800000, 0x00800001, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x7f7fffff, 0x7f800000,
		0x7f800001, 0x7fc00000, 0x7fc12345, 0x7fffffff, 0x3f3504f2, 0x3f3504f3, 0x3f3504f4,
	} {
		s = append(s, math.Float32frombits(bits), math.Float32frombits(bits|1<<31))
	}
	for _, x := range []float32{0.5, 2, 9, 16, 20, 88.72, 88.73, 103.97, 103.98, 110, 128, 129, 200, 1000} {
		s = append(s, x, -x)
	}
	return s
}

// xorshift is a source of bits that is independent of the code under test.
type xorshift uint64

func (s *xorshift) next() uint32 {
	*s ^= *s << 13
	*s ^= *s >> 7
	*s ^= *s << 17
	return uint32(*s >> 32)
}

// vector returns n numbers: a mix of special ones, random bits, and small exponents.
func (s *xorshift) vector(n int) []float32 {
	v, list := make([]float32, n), special()
	for i := range v {
		switch b := s.next(); s.next() % 4 {
		case 0:
			v[i] = list[b%uint32(len(list))]
		case 1:
			v[i] = math.Float32frombits(b)
		default:
			v[i] = float32(int32(b)) * float32(math.Ldexp(1, -31+int(s.next()%12)))
		}
	}
	return v
}

// lengths are all lengths up to 70, and a long one.
func lengths() []int {
	s := []int{1000}
	for n := range 71 {
		s = append(s, n)
	}
	return s
}

func equalBits(t *testing.T, want, got []float32, message string, args ...any) {
	t.Helper()
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			t.Fatalf("%s, element %d: %x, want %x", fmt.Sprintf(message, args...), i, got[i], want[i])
		}
	}
}

// guarded returns a slice of n elements at any alignment, and a check that nothing beside
// it was written.
func guarded(n, shift int) (v []float32, check func(t *testing.T)) {
	const mark = 12345.5
	all := make([]float32, n+shift+16)
	for i := range all {
		all[i] = mark
	}
	return all[shift : shift+n : shift+n], func(t *testing.T) {
		t.Helper()
		for i, x := range all {
			if (i < shift || i >= shift+n) && x != mark {
				t.Fatalf("element %d of %d was written", i-shift, n)
			}
		}
	}
}

// available returns the functions of every instruction set of this CPU except Go.
func available() map[isa.Set]*Functions {
	own := map[isa.Set]*Functions{}
	for _, set := range isa.Available() {
		if set != isa.Go {
			own[set] = FunctionsOf(set)
		}
	}
	return own
}

// sets calls f for each set of available.
func sets(t *testing.T, f func(t *testing.T, own *Functions)) {
	for set, own := range available() {
		t.Run(string(set), func(t *testing.T) { f(t, own) })
	}
}

func (f *Functions) unaries() map[string]*Unary {
	return map[string]*Unary{
		"exp": &f.Exp, "log": &f.Log, "sigmoid": &f.Sigmoid, "tanh": &f.Tanh,
		"gelu": &f.GELU, "softplus": &f.Softplus, "rsqrt": &f.Rsqrt,
	}
}

func (f *Functions) binaries() map[string]*Binary {
	return map[string]*Binary{
		"sigmoidBackward": &f.SigmoidBackward, "tanhBackward": &f.TanhBackward, "geluBackward": &f.GELUBackward,
		"softplusBackward": &f.SoftplusBackward, "sigmoidGradient": &f.SigmoidGradient,
	}
}

func TestKernelsAreThePortableFunctions(t *testing.T) {
	sets(t, func(t *testing.T, own *Functions) {
		s := xorshift(88172645463325252)
		for _, n := range lengths() {
			x, y := s.vector(n), s.vector(n)
			dst, check := guarded(n, n%5)
			want := make([]float32, n)
			for name, f := range own.unaries() {
				portable.unaries()[name].Apply(want, x)
				f.Apply(dst, x)
				equalBits(t, want, dst, "%s of %d", name, n)
				copy(dst, x)
				f.Apply(dst, dst)
				equalBits(t, want, dst, "%s of %d in place", name, n)
				check(t)
			}
			for name, f := range own.binaries() {
				portable.binaries()[name].Apply(want, x, y)
				f.Apply(dst, x, y)
				equalBits(t, want, dst, "%s of %d", name, n)
				copy(dst, x)
				f.Apply(dst, dst, y)
				equalBits(t, want, dst, "%s of %d over the first", name, n)
				copy(dst, y)
				f.Apply(dst, x, dst)
				equalBits(t, want, dst, "%s of %d over the second", name, n)
				check(t)
			}
		}
	})
}

func TestLossKernelsAreThePortableFunctions(t *testing.T) {
	sets(t, func(t *testing.T, own *Functions) {
		s := xorshift(362436069362436069)
		w := Borrow()
		defer w.Return()
		equal := func(want, got float64, message string, n int) {
			t.Helper()
			require.Equal(t, math.Float64bits(want), math.Float64bits(got), "%s of %d: %x, want %x", message, n, got, want)
		}
		for round := range 10 {
			for _, n := range lengths() {
				z, y := s.vector(n), s.vector(n)
				if round > 0 { // numbers, so that sums are
					for i := range z {
						z[i], y[i] = float32(s.next()%4096)/100-20, float32(s.next()%2)
						if round == 1 && i%7 == 3 {
							y[i] = float32(math.Inf(1)) // no class
						}
					}
				}
				dst, check := guarded(n, round%5)
				want := make([]float32, n)
				top := float32(20)
				sum := portable.ExpSum(w, z, n, top)
				equal(sum, own.ExpSum(w, z, n, top), "expSum", n)
				equal(sum, own.ExpSum(w, append(z[:n:n], y...), n, top), "expSum of more", n)
				portable.Softmax(w, want, z, top, sum)
				own.Softmax(w, dst, append(z[:n:n], y...), top, sum)
				equalBits(t, want, dst, "softmax of %d of more", n)
				own.Softmax(w, dst, z, top, sum)
				equalBits(t, want, dst, "softmax of %d", n)
				copy(dst, z)
				own.Softmax(w, dst, dst, top, sum)
				equalBits(t, want, dst, "softmax of %d in place", n)
				equal(lanes(portable.SigmoidLoss, z, y), lanes(own.SigmoidLoss, z, y), "sigmoidLoss", n)
				equal(lanes(portable.SquaredError, z, y), lanes(own.SquaredError, z, y), "squaredError", n)
				portable.Residual(want, z, y, 0.3)
				own.Residual(dst, z, y, 0.3)
				equalBits(t, want, dst, "residual of %d", n)
				check(t)
			}
		}
	})
}

// The test checks all float32 with -exhaustive, otherwise a sample in blocks.
func TestKernelsOverAllNumbers(t *testing.T) {
	const block = 1024
	ones, x, want, got := make([]float32, block), make([]float32, block), make([]float32, block), make([]float32, block)
	for i := range ones {
		ones[i] = 1
	}
	all, step := available(), stride()
	for at := uint64(0); at < 1<<32; at += block * step {
		for i := range x {
			x[i] = ordered((at + uint64(i)*step) % (1 << 32))
		}
		for name, f := range portable.unaries() {
			f.Apply(want, x)
			for set, own := range all {
				own.unaries()[name].Apply(got, x)
				equalBits(t, want, got, "%s on %s", name, set)
			}
		}
		portable.GELUBackward.Apply(want, ones, x)
		for set, own := range all {
			own.GELUBackward.Apply(got, ones, x)
			equalBits(t, want, got, "geluBackward on %s", set)
		}
	}
}

func TestFunctionsDoNotAllocate(t *testing.T) {
	x, sums := make([]float32, 100), new(Lanes)
	for _, set := range isa.Available() {
		f := FunctionsOf(set)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			w := Borrow()
			f.Tanh.Apply(x, x)
			f.TanhBackward.Apply(x, x, x)
			f.Softmax(w, x, x, 1, f.ExpSum(w, x, len(x), 1))
			f.SigmoidLoss(sums, x, x)
			f.SquaredError(sums, x, x)
			f.Residual(x, x, x, sums.Sum())
			w.Return()
		}), set)
	}
}

// lanes returns the result of the reduction that add computes.
func lanes(add func(l *Lanes, z, y []float32), z, y []float32) float64 {
	var l Lanes
	add(&l, z, y)
	return l.Sum()
}
