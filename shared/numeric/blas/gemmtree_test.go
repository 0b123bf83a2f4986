package blas

import (
	"math/bits"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/fma"
	"tributary/shared/numeric/isa"
	"tributary/shared/tree"
)

// naiveTree implements the specification of GemmTree: products leaf by leaf, added node by
// node.
func naiveTree(bounds []int, lo, hi, m, n int, a, b []float32) []float32 {
	k := bounds[len(bounds)-1]
	c := make([]float32, m*n)
	if hi-lo == 1 {
		begin, end := bounds[lo], bounds[hi]
		if begin < end {
			naive(blas.NoTrans, blas.NoTrans, m, n, end-begin, 1, a[begin:], k, b[begin*n:], n, 0, c, n)
		}
		return c
	}
	mid := tree.Split(lo, hi)
	left, right := naiveTree(bounds, lo, mid, m, n, a, b), naiveTree(bounds, mid, hi, m, n, a, b)
	for i := range c {
		c[i] = fma.Canonical(left[i] + right[i])
	}
	return c
}

// on runs do with every instruction set installed in blas32.
func on(t testing.TB, do func(set isa.Set)) {
	t.Helper()
	defer blas32.Use(Implementation{})
	for _, s := range isa.Available() {
		blas32.Use(Implementation{Set: s})
		do(s)
	}
}

// bounds draws the bounds of leaves, some of them empty.
func (r *random) bounds(leaves, longest int) []int {
	b := []int{0}
	for i := range leaves {
		b = append(b, b[i]+r.intn(longest+1)*min(1, r.intn(4)))
	}
	return b
}

func TestGemmTreeIsTheSumOverTheTree(t *testing.T) {
	r := random(31)
	for round := range 120 {
		m, n := 1+r.intn(100), 1+r.intn(100)
		b := r.bounds(1+r.intn(20), 1+r.intn(30))
		checkTree(t, &r, m, n, b, round%kinds)
	}
	checkTree(t, &r, 3, 5, []int{0, 0}, 0)
	checkTree(t, &r, 3, 40, []int{0, 0, 0, 0}, 0)
	checkTree(t, &r, 2*treeRows+1, 33, []int{0, 1, 1, 2, 2, 5}, 1)
}

// treeLengths are lengths of leaves near the length of the parts of a chain.
var treeLengths = []int{0, 1, 2, 63, treeDepth - 1, treeDepth, treeDepth + 1, 2*treeDepth - 1, 2 * treeDepth, 2*treeDepth + 1, 9*treeDepth + 5}

func TestGemmTreeOfDeepLeaves(t *testing.T) {
	r := random(34)
	for round := range 40 {
		bounds := []int{0}
		for i := range 1 + r.intn(11) {
			length := treeLengths[r.intn(len(treeLengths))]
			if length > treeDepth+1 && bounds[i] > 4*treeDepth {
				length = r.intn(4)
			}
			bounds = append(bounds, bounds[i]+length)
		}
		checkTree(t, &r, 1+r.intn(19), 1+r.intn(11)*(1+r.intn(4)), bounds, round%kinds)
	}
	// Leaves of one part and of several parts at every place of the tree, with more rows
	// than treeRows.
	for i := range 5 {
		bounds := []int{0}
		for j := range 5 {
			length := 3
			if i == j {
				length = 3*treeDepth + 1
			}
			bounds = append(bounds, bounds[j]+length)
		}
		checkTree(t, &r, treeRows+3, 3, bounds, i%kinds)
	}
}

// Every number of leaves up to 33, and every width of a panel.
func TestGemmTreeOfEveryShape(t *testing.T) {
	r := random(35)
	for i := 1; i <= 33; i++ {
		checkTree(t, &r, 1+r.intn(15), i, r.bounds(i, 3), i%kinds)
	}
}

// The stack of partial sums grows with the depth of the tree, not with its leaves.
func TestScratchOfATreeIsItsDepth(t *testing.T) {
	for _, length := range []int{1, treeDepth, treeDepth + 1} {
		var tr Tree
		for leaves := 1; leaves <= 4096; leaves *= 2 {
			for _, n := range []int{leaves, leaves + 1} {
				bounds := make([]int, n+1)
				for i := range bounds {
					bounds[i] = i * length
				}
				tr.Reset(bounds)
				require.LessOrEqual(t, tr.places, 1+bits.Len(uint(n-1)), "%d leaves", n)
				require.Len(t, tr.steps, n*((length+treeDepth-1)/treeDepth))
			}
		}
	}
}

// FuzzGemmTree draws the leaves' lengths from a string.
func FuzzGemmTree(f *testing.F) {
	f.Add(uint64(1), 3, 5, []byte{4, 1, 0, 6})
	f.Add(uint64(2), 85, 33, []byte{0, 7, 1, 1, 5})
	f.Fuzz(func(t *testing.T, seed uint64, m, n int, leaves []byte) {
		r := random(seed | 1)
		bounds := []int{0}
		for i, l := range leaves[:min(len(leaves), 20)] {
			length := treeLengths[int(l)%len(treeLengths)]
			if bounds[i]+length > 4*treeDepth {
				length = int(l) / 32
			}
			bounds = append(bounds, bounds[i]+length)
		}
		if len(bounds) == 1 {
			bounds = append(bounds, 0)
		}
		m, n = 1+int(uint(m)%90), 1+int(uint(n)%70)
		if bounds[len(bounds)-1] > 100 {
			m, n = 1+m%9, 1+n%9
		}
		checkTree(t, &r, m, n, bounds, r.intn(kinds))
	})
}

// checkTree compares GemmTree, in up to three goroutines, with its specification.
func checkTree(t *testing.T, r *random, m, n int, bounds []int, kind int) {
	t.Helper()
	spaces := make([]Space, 1+r.intn(3))
	k := bounds[len(bounds)-1]
	a, b := r.floats(m*k, kind), r.floats(k*n, kind)
	want := naiveTree(bounds, 0, len(bounds)-1, m, n, a, b)
	stride, ldc := k+r.intn(20), n+r.intn(5)
	wide := append(r.floats(m*stride, 1), 0)
	for i := range m {
		copy(wide[i*stride:], a[i*k:(i+1)*k])
	}
	on(t, func(set isa.Set) {
		var p Panels
		p.Reset(k, n)
		p.SetRows(0, split(b, k, n))
		var tr Tree
		tr.Reset(bounds)
		c := r.floats(m*ldc, 3)
		before := append([]float32(nil), c...)
		// In two parts of columns, and in parts of rows too.
		part := func(space *Space, i, iEnd, j, jEnd int) {
			if i < iEnd && j < jEnd {
				GemmTree(space, &tr, j, blas32.General{Rows: iEnd - i, Cols: k, Stride: max(1, stride), Data: wide[i*stride:]}, &p,
					blas32.General{Rows: iEnd - i, Cols: jEnd - j, Stride: ldc, Data: c[i*ldc+j:]})
			}
		}
		var all sync.WaitGroup
		for thread := range spaces {
			all.Go(func() {
				for q := thread; q < 4; q += len(spaces) {
					i, j := []int{0, m / 3, m}[q/2:], []int{0, min(32, n), n}[q%2:]
					part(&spaces[thread], i[0], i[1], j[0], j[1])
				}
			})
		}
		all.Wait()
		for i := range m {
			same(t, want[i*n:(i+1)*n], c[i*ldc:i*ldc+n], "%s: %d×%d over %v, row %d", set, m, n, bounds, i)
			same(t, before[i*ldc+n:(i+1)*ldc], c[i*ldc+n:(i+1)*ldc], "%s: beyond row %d", set, i)
		}
	})
}

func TestGemmPanelsIsSgemm(t *testing.T) {
	r := random(32)
	var space Space
	for round := range 80 {
		m, n, k := 1+r.intn(60), 1+r.intn(70), 1+r.intn(40)
		switch round % 20 {
		case 0:
			m, k = blockRows+1+r.intn(2*blockRows), 1+r.intn(4)
		case 1:
			k = transposedDepth + 1 + r.intn(2*blockDepth)
		case 2:
			m, k = 256, 30 // a stride that conflicts
		}
		a, b := r.floats(m*k, round%kinds), r.floats(k*n, round%kinds)
		tA := transposes[round&1]
		rows, cols := stored(tA, m, k)
		want := make([]float32, m*n)
		naive(tA, blas.NoTrans, m, n, k, 1, a, cols, b, n, 0, want, n)
		on(t, func(set isa.Set) {
			var p, q Panels
			p.Reset(k, n)
			p.SetRows(0, split(b, k, n))
			q.Reset(m, n)
			q.Fill(7)
			mid := r.intn(m)
			for _, part := range [][2]int{{0, mid}, {mid, m}} {
				GemmPanels(&space, tA, part[0], part[1], blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: a}, &p, &q)
			}
			got := make([]float32, m*n)
			q.TransposeTo(got)
			same(t, turned(want, m, n), got, "%s: %v %d×%d×%d", set, tA, m, n, k)
		})
	}
}

// split returns the rows of v [m, n].
func split(v []float32, m, n int) [][]float32 {
	rows := make([][]float32, m)
	for i := range rows {
		rows[i] = v[i*n : (i+1)*n]
	}
	return rows
}

// turned returns v [m, n] transposed.
func turned(v []float32, m, n int) []float32 {
	out := make([]float32, len(v))
	for i := range m {
		for j := range n {
			out[j*m+i] = v[i*n+j]
		}
	}
	return out
}

func TestPanelsHoldAMatrix(t *testing.T) {
	r := random(33)
	for range 60 {
		m, n, from := 1+r.intn(70), 1+r.intn(70)+r.intn(2)*600, r.intn(5)
		v := r.floats((m+from)*n, 0)
		on(t, func(set isa.Set) {
			var p, q, back Panels
			p.Reset(m+from, n)
			at := r.intn(m + from)
			p.SetRows(0, split(v, at, n))
			p.SetRows(at, split(v[at*n:], m+from-at, n))
			q.Reset(n, m)
			q.SetTransposed(&p, from)
			got := make([]float32, m*n)
			q.TransposeTo(got)
			require.Equal(t, v[from*n:], got, set)

			back.Reset(m+from+2, n)
			back.SetRowsTransposed(from, &q)
			q.SetTransposed(&back, from)
			clear(got)
			q.TransposeTo(got)
			require.Equal(t, v[from*n:], got, set)

			q.TransposeFrom(v)
			q.TransposeTo(got)
			require.Equal(t, v[:m*n], got, set)

			ld := m + 32 + r.intn(9)
			flat := make([]float32, n*ld)
			q.CopyTo(blas32.General{Rows: n, Cols: ld, Stride: ld, Data: flat}, 16)
			want := turned(v[:m*n], m, n)
			for i := range n {
				require.Equal(t, want[i*m:(i+1)*m], flat[i*ld+16:][:m], set)
			}

			column := r.floats(n, 0)
			q.Spread(column)
			q.TransposeTo(got)
			for i, x := range got {
				require.Equal(t, column[i%n], x)
			}
		})
	}
}

// A leaf that is computed in slices has the same bits as one that is computed at once.
func TestALeafContinues(t *testing.T) {
	on(t, func(set isa.Set) {
		r := random(77)
		for range 40 {
			m, n := 1+r.intn(100), 1+r.intn(70)
			cuts := []int{0}
			for range 1 + r.intn(4) {
				cuts = append(cuts, cuts[len(cuts)-1]+1+r.intn(1100))
			}
			k := cuts[len(cuts)-1]
			a, x := r.floats(m*k, 0), r.floats(k*n, 0)
			whole, sliced := make([]float32, m*n), make([]float32, m*n)
			product := func(c []float32, tree *Tree, lo, hi int) {
				var b Panels
				b.Reset(hi-lo, n)
				for i := lo; i < hi; i++ {
					b.SetRows(i-lo, [][]float32{x[i*n : (i+1)*n]})
				}
				GemmTree(new(Space), tree, 0, blas32.General{Rows: m, Cols: hi - lo, Stride: k, Data: a[lo:]}, &b, blas32.General{Rows: m, Cols: n, Stride: n, Data: c})
			}
			var tree Tree
			tree.Reset([]int{0, k})
			product(whole, &tree, 0, k)
			for i, from := range cuts[:len(cuts)-1] {
				if i == 0 {
					tree.Reset([]int{0, cuts[1]})
				} else {
					tree.Continue(cuts[i+1] - from)
				}
				product(sliced, &tree, from, cuts[i+1])
			}
			require.Equal(t, whole, sliced, set)
		}
	})
}
