package numeric

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	specified "tributary/shared/numeric/blas"
	"tributary/shared/numeric/internal/vector"
	"tributary/shared/numeric/isa"
)

// digest belongs to [Version]. A change of any bit of any function here is a new
// version, and a new digest.
const digest = "e8c408c9db53fe90"

// Every instruction set of every CPU computes the digest of the version.
func TestBitsAreThoseOfTheVersion(t *testing.T) {
	defer func(f *vector.Functions, k *vector.Kernels) {
		blas32.Use(specified.Implementation{})
		functions, kernels = f, k
	}(functions, kernels)
	for _, set := range isa.Available() {
		blas32.Use(specified.Implementation{Set: set})
		functions, kernels = vector.FunctionsOf(set), vector.Of(set)
		require.Equal(t, digest, fingerprint(), "%s on %s", Version, set)
	}
	require.Equal(t, Version, Fingerprint())
}

func fingerprint() string {
	p := probe{hash: sha256.New(), rand: NewRand(1, ForSynthetic, 0, 0)}
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {16, 16, 16}, {33, 10, 64}, {64, 64, 129}, {70, 130, 90}} {
		p.products(s[0], s[1], s[2])
	}
	p.functions()
	p.vectors()
	p.reductions()
	p.conversions()
	p.updates()
	return hex.EncodeToString(p.hash.Sum(nil)[:8])
}

// probe adds the bits of computations to a hash.
type probe struct {
	hash hash.Hash
	rand *Rand
}

// random returns n numbers in [-scale, scale).
func (p *probe) random(n int, scale float32) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = p.rand.Symmetric(scale)
	}
	return v
}

func (p *probe) add(v ...float32) {
	for _, x := range v {
		_ = binary.Write(p.hash, binary.LittleEndian, math.Float32bits(x))
	}
}

func (p *probe) add64(v ...float64) {
	for _, x := range v {
		_ = binary.Write(p.hash, binary.LittleEndian, math.Float64bits(x))
	}
}

// products computes the three products of a dense layer: x Wᵀ, dyᵀ x and dy W.
func (p *probe) products(b, o, i int) {
	matrix := func(rows, cols int) blas32.General {
		return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: p.random(rows*cols, 1)}
	}
	x, w, y := matrix(b, i), matrix(o, i), matrix(b, o)
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, x, w, 0, y)
	p.add(y.Data...)
	dw, dx := matrix(o, i), matrix(b, i)
	blas32.Gemm(blas.Trans, blas.NoTrans, 1, y, x, 0, dw)
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, y, w, 0, dx)
	p.add(dw.Data...)
	p.add(dx.Data...)
}

func (p *probe) functions() {
	for _, scale := range []float32{1e-4, 1, 8, 80} {
		for _, f := range []func(y []float32){Exp, Log, Softplus, Rsqrt, Tanh, Sigmoid, func(y []float32) { GELU(y, y) }} {
			y := p.random(70, scale)
			f(y)
			p.add(y...)
		}
		for _, v := range p.random(64, scale) {
			p.add64(log(math.Abs(float64(v))))
		}
	}
	y := make([]float32, 33)
	p.rand.Normal(y)
	p.add(y...)
}

func (p *probe) vectors() {
	const rows, n = 7, 11
	y, d := p.random(rows*n, 3), p.random(rows*n, 1)
	step := func(forward func(y []float32), backward func(d, y []float32)) {
		forward(y)
		backward(d, y)
		p.add(y...)
		p.add(d...)
		Add(y, y, p.random(rows*n, 2))
	}
	step(ReLU, ReLUBackward)
	step(Tanh, TanhBackward)
	step(Sigmoid, SigmoidBackward)
	step(func(y []float32) { GELU(y, y) }, GELUBackward)
	step(Softplus, SoftplusBackward)
	AddBias(y, d[:n])
	ColumnSums(d[:n], y)
	p.add(d[:n]...)
	p.add64(Sum(y))
	for _, n := range []int{11, 32, 50} {
		p.losses(rows, n)
	}
}

func (p *probe) reductions() {
	for _, n := range []int{1, 16, 50, 333} {
		x, y := p.random(n, 3), p.random(n, 3)
		p.add64(Sum(x), Dot(x, y), Norm(x), Mean(x), Variance(x))
		p.add(Max(x), AbsMax(x))
		v := blas32.Vector{N: n, Inc: 1, Data: y}
		blas32.Axpy(0.3, blas32.Vector{N: n, Inc: 1, Data: x}, v)
		p.add(blas32.Dot(v, blas32.Vector{N: n, Inc: 1, Data: x}), blas32.Nrm2(v), blas32.Asum(v))
		blas32.Scal(0.7, v)
		p.add(y...)
	}
}

func (p *probe) conversions() {
	x, y, h, q := p.random(50, 3), make([]float32, 50), make([]uint16, 50), make([]int8, 50)
	ToFloat16(h, x)
	FromFloat16(y, h)
	p.add(y...)
	ToBfloat16(h, x)
	FromBfloat16(y, h)
	p.add(y...)
	ToInt8(q, x, Int8Scale(x))
	FromInt8(y, q, Int8Scale(x))
	p.add(y...)
}

func (p *probe) losses(rows, n int) {
	z, d, y := p.random(rows*n, 5), make([]float32, rows*n), make([]float32, rows*n)
	for i := range y {
		y[i] = float32(i % 2)
	}
	p.add64(SoftmaxCrossEntropy(d, z, y[:rows], n))
	p.add(d...)
	p.add64(SigmoidCrossEntropy(d, z, y))
	p.add(d...)
	p.add64(SquaredError(d, z, y, 1/float64(n)))
	p.add(d...)
	Softmax(d, z, n)
	p.add(d...)
	p.add64(LogSumExp(z))
}

func (p *probe) updates() {
	const n = 37
	w, m, v := p.random(n, 1), make([]float32, n), make([]float32, n)
	Descent{Rate: 0.1, Momentum: 0.9, Decay: 0.01, Nesterov: true, Clip: 1}.Update(w, m, p.random(n, 1), 3)
	Descent{Rate: 0.1, Momentum: 0.9, Clip: 1}.Update(w, m, p.random(n, 1), 3)
	p.add(m...)
	clear(m)
	for range 2 {
		Moments{
			Beta1: 0.9, Beta2: 0.999, Rest1: 0.1, Rest2: 0.001, Rate: 0.01,
			Root2: 0.03, Epsilon: 1e-8, Decay: 0.01, Shrink: 0.999, Clip: 1,
		}.Update(w, m, v, p.random(n, 1), 3)
	}
	p.add(w...)
	p.add(m...)
	p.add(v...)
}
