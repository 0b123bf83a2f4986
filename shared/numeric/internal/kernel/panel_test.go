package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric/fma"
	"tributary/shared/numeric/isa"
)

// panelCase is one call of a panel with random numbers. Strides are in elements.
type panelCase struct {
	m, k, width   int
	rsa, csa, psa int
	rsb, rsc      int
	tiles, sums   int // number of tiles of T, and how many of them are added: the last ones
	rst, next     int
	in            int // the tile that is C; −1 if C is none of them
}

func (c *panelCase) use() uint64 { return uint64(c.tiles-c.sums)*Load + uint64(c.sums)*Add }

// The cases: rows of A contiguous, columns of A contiguous, and neither; whole blocks and
// packed ones; all numbers of remaining rows; empty chains, and chains whose length is not
// a multiple of four; no tile to several tiles, before or after C, or C itself.
func TestPanelsEqualSpecification(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range isa.Available() {
		s := Of(name)
		for rows := 1; rows <= 2*s.MR+1; rows++ {
			for _, width := range []int{1, s.NR/2 - 1, s.NR / 2, s.NR/2 + 1, s.NR - 1, s.NR} {
				k := r.IntN(20)
				c := panelCase{m: rows, k: k, width: max(1, width), rsb: s.NR + r.IntN(3)}
				c.sums = r.IntN(3) * r.IntN(3)
				c.tiles = c.sums + r.IntN(2)
				c.rst = s.NR + r.IntN(3)
				c.next = (rows*c.rst + s.NR) * (1 - 2*r.IntN(2))
				c.rsc, c.in = s.NR+r.IntN(3), -1
				if c.tiles > 0 && r.IntN(2) == 0 {
					c.rsc, c.in = c.rst, r.IntN(c.tiles)
				}
				switch r.IntN(4) {
				case 0:
					c.rsa, c.csa = k+r.IntN(3), 1
				case 1:
					c.rsa, c.csa = 1, rows+r.IntN(3)
				case 2:
					c.rsa, c.csa = 2*k+1, 2
				default:
					c.rsa, c.csa, c.psa = 1, s.MR, s.MR*(k+1)
				}
				if c.psa == 0 {
					c.psa = s.MR * c.rsa
				}
				c.check(t, s, r)
			}
		}
	}
}

func (c panelCase) check(t *testing.T, s *Set, r *rand.Rand) {
	t.Helper()
	a := numbers(r, max(1, c.m/s.MR*c.psa+s.MR*c.rsa+c.k*c.csa))
	b, got, store := numbers(r, c.k*c.rsb+s.NR), numbers(r, c.m*c.rsc+s.NR), numbers(r, max(1, c.tiles)*max(c.next, -c.next))
	tile := func(i int) []float32 {
		if c.next < 0 {
			i = c.tiles - 1 - i
		}
		return store[max(0, i)*max(c.next, -c.next):]
	}
	first := &tile(0)[0]
	if c.in >= 0 {
		got = tile(c.in)[:c.m*c.rst+s.NR]
	}
	want, before := append([]float32(nil), got...), append([]float32(nil), store...)
	f, exact := s.For(c.width)
	for i := range c.m {
		for j := range c.width {
			v, from := float32(0), c.tiles-c.sums
			if from > 0 {
				v = tile(0)[i*c.rst+j]
			}
			for l := range c.k {
				v = fma.Float32(a[i/s.MR*c.psa+i%s.MR*c.rsa+l*c.csa], b[l*c.rsb+j], v)
			}
			for ; from < c.tiles; from++ {
				v = tile(from)[i*c.rst+j] + v
			}
			want[i*c.rsc+j] = fma.Canonical(v)
		}
	}
	f(c.m, c.k, &a[0], 4*c.rsa, 4*c.csa, 4*c.psa, &b[0], 4*c.rsb, &got[0], 4*c.rsc, first, 4*c.rst, 4*c.next, c.use(), uint64(1)<<c.width-1)
	for i, v := range want {
		if i%c.rsc < c.width && i < c.m*c.rsc || exact {
			require.Equal(t, math.Float32bits(v), math.Float32bits(got[i]), "%s: %+v: element %d", s.Name, c, i)
		}
	}
	if c.in >= 0 {
		copy(tile(c.in), want) // checked above
		copy(before[len(store)-len(tile(c.in)):], want)
	}
	for i, v := range before {
		require.Equal(t, math.Float32bits(v), math.Float32bits(store[i]), "%s: %+v: element %d of the tiles", s.Name, c, i)
	}
}

func numbers(r *rand.Rand, n int) []float32 {
	special := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.NaN()), math.SmallestNonzeroFloat32, math.MaxFloat32}
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*r.Float32() - 1
		if r.IntN(200) == 0 {
			v[i] = special[r.IntN(len(special))]
		}
	}
	return v
}

// Memory beyond rows and columns is not read. It is not written either, except by
// TransposeFew in its rows of 16.
func TestTranspositions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, name := range isa.Available() {
		s := Of(name)
		check := func(m, n, room int, do func(src []float32, lds int, dst []float32, ldd int)) {
			lds, ldd := n+r.IntN(3), room+r.IntN(3)
			src, dst := numbers(r, (m-1)*lds+n), make([]float32, (n-1)*ldd+room)
			do(src, lds, dst, ldd)
			for j := range n {
				for i := range m {
					require.Equal(t, math.Float32bits(src[i*lds+j]), math.Float32bits(dst[j*ldd+i]), "%s: %d × %d", name, m, n)
				}
			}
		}
		for size, f := range map[int]Transpose{8: s.Transpose8, 16: s.Transpose16} {
			for n := 1; n <= 3 && f != nil; n++ {
				check(size, n*size, size, func(src []float32, lds int, dst []float32, ldd int) {
					f(n, &src[0], 4*lds, 4*size, &dst[0], 4*ldd, 4*size*ldd)
				})
			}
		}
		for m := 4; m <= 15 && s.TransposeFew != nil; m++ {
			for n := 1; n <= 3; n++ {
				check(m, 4*n, 16, func(src []float32, lds int, dst []float32, ldd int) {
					s.TransposeFew(n, m, &src[0], 4*lds, &dst[0], 4*ldd)
				})
			}
		}
	}
}
