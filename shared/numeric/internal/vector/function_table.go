package vector

import (
	"sync"

	"tributary/shared/numeric/isa"
)

// Unary is a function of one argument, for vectors. kernel computes n elements; n is a
// positive multiple of 16. kernel is nil if there is none. one computes the remaining
// elements.
type Unary struct {
	kernel func(n int, dst, x *float32)
	one    func(x float32) float32
}

// Apply writes f(x) to dst. dst has the length of x and may be x.
func (f *Unary) Apply(dst, x []float32) {
	dst = dst[:len(x)]
	n := whole(f.kernel != nil, len(x))
	if n > 0 {
		f.kernel(n, &dst[0], &x[0])
	}
	for i := n; i < len(x); i++ {
		dst[i] = f.one(x[i])
	}
}

// Binary is a function of two arguments, for vectors. It has the same parts as [Unary].
type Binary struct {
	kernel func(n int, dst, x, y *float32)
	one    func(x, y float32) float32
}

// Apply writes f(x, y) to dst. dst, x and y have the same length; dst may be x or y.
func (f *Binary) Apply(dst, x, y []float32) {
	dst, x = dst[:len(y)], x[:len(y)]
	n := whole(f.kernel != nil, len(y))
	if n > 0 {
		f.kernel(n, &dst[0], &x[0], &y[0])
	}
	for i := n; i < len(y); i++ {
		dst[i] = f.one(x[i], y[i])
	}
}

// whole returns how many of n elements a kernel computes: the largest multiple of 16, or 0
// without a kernel.
func whole(kernel bool, n int) int {
	if !kernel {
		return 0
	}
	return n &^ 15
}

// Functions contains the elementary functions of one instruction set.
type Functions struct {
	Exp, Log, Sigmoid, Tanh, GELU, Softplus, Rsqrt Unary

	SigmoidBackward, TanhBackward, GELUBackward, SoftplusBackward Binary // of (d, y) or (d, x)
	SigmoidGradient                                               Binary // of (z, y)

	losses lossKernels
}

// lossKernels are the kernels of losses. Each computes n elements; n is a positive multiple
// of 16. A kernel is nil if there is none. It computes the same as the Go function of its
// name.
type lossKernels struct {
	expSum       func(n int, lanes *Lanes, z *float32, top float64)
	softmax      func(n int, dst, z *float32, top, sum float64)
	sigmoidLoss  func(n int, lanes *Lanes, z, y *float32)
	squaredError func(n int, lanes *Lanes, z, y *float32)
	residual     func(n int, d, z, y *float32, scale float64)
}

// FunctionsOf returns the functions of s. For a set that this GOARCH does not have, it
// returns the functions in Go.
func FunctionsOf(s isa.Set) *Functions {
	if f := native[s]; f != nil {
		return f
	}
	return portable
}

var portable = portableFunctions()

// portableFunctions returns a new table without kernels.
func portableFunctions() *Functions {
	return &Functions{
		Exp: Unary{one: Exp}, Log: Unary{one: Log}, Sigmoid: Unary{one: Sigmoid}, Tanh: Unary{one: Tanh},
		GELU: Unary{one: GELU}, Softplus: Unary{one: Softplus}, Rsqrt: Unary{one: Rsqrt},
		SigmoidBackward: Binary{one: SigmoidBackward}, TanhBackward: Binary{one: TanhBackward},
		GELUBackward: Binary{one: GELUBackward}, SoftplusBackward: Binary{one: SoftplusBackward},
		SigmoidGradient: Binary{one: SigmoidGradient},
	}
}

// Workspace is memory that is passed to kernels. It is reused, so that no call allocates.
type Workspace struct {
	lanes, part Lanes
	maxima      maxima
	in, out     [16]float32
}

var workspaces = sync.Pool{New: func() any { return new(Workspace) }}

// Borrow returns a workspace. The caller must give it back with Return.
func Borrow() *Workspace { return workspaces.Get().(*Workspace) }

// Return gives the workspace back. The caller must not use it afterwards.
func (w *Workspace) Return() { workspaces.Put(w) }

// ExpSum returns Σ e^{z−top} over the first n elements of z in 16 lanes. top is the
// greatest of them. If n is not a multiple of 16, a kernel computes 16 elements for the
// last part. It takes the elements that follow in z if there are any, and ignores the lanes
// of all elements beyond n.
func (f *Functions) ExpSum(w *Workspace, z []float32, n int, top float32) float64 {
	kernel := f.losses.expSum
	if kernel == nil {
		w.lanes = Lanes{}
		expSum(&w.lanes, z[:n], top)
		return w.lanes.Sum()
	}
	w.lanes = Lanes{}
	all, rest := n&^15, n&15
	if all > 0 {
		kernel(all, &w.lanes, &z[0], float64(top))
	}
	if rest > 0 {
		w.part = Lanes{}
		kernel(16, &w.part, w.filled(z[all:], rest), float64(top))
		clear(w.part[rest:])
		for i, v := range &w.part {
			w.lanes[i] += v
		}
	}
	return w.lanes.Sum()
}

// Softmax writes e^{z−top}/sum of the first len(dst) elements of z to dst. dst may be z.
func (f *Functions) Softmax(w *Workspace, dst, z []float32, top float32, sum float64) {
	kernel := f.losses.softmax
	n := len(dst)
	if kernel == nil {
		softmax(dst, z[:n], top, sum)
		return
	}
	all, rest := n&^15, n&15
	if all > 0 {
		kernel(all, &dst[0], &z[0], float64(top), sum)
	}
	if rest > 0 {
		kernel(16, &w.out[0], w.filled(z[all:], rest), float64(top), sum)
		copy(dst[all:], w.out[:])
	}
}

// filled returns a pointer to 16 elements, of which the first n are those of z.
func (w *Workspace) filled(z []float32, n int) *float32 {
	if len(z) >= 16 {
		return &z[0]
	}
	copy(w.in[:n], z)
	return &w.in[0]
}

// SigmoidLoss adds max(z, 0) − z·y + ln(1+e^{−|z|}) to the lanes, or a NaN if a y is
// neither 0 nor 1.
func (f *Functions) SigmoidLoss(lanes *Lanes, z, y []float32) {
	y = y[:len(z)]
	n := whole(f.losses.sigmoidLoss != nil, len(z))
	if n > 0 {
		f.losses.sigmoidLoss(n, lanes, &z[0], &y[0])
	}
	sigmoidLoss(lanes, z[n:], y[n:])
}

// SquaredError adds (z − y)² to the lanes.
func (f *Functions) SquaredError(lanes *Lanes, z, y []float32) {
	y = y[:len(z)]
	n := whole(f.losses.squaredError != nil, len(z))
	if n > 0 {
		f.losses.squaredError(n, lanes, &z[0], &y[0])
	}
	squaredError(lanes, z[n:], y[n:])
}

// Residual writes scale·(z − y) to d, rounded once; d may be z or y.
func (f *Functions) Residual(d, z, y []float32, scale float64) {
	d, y = d[:len(z)], y[:len(z)]
	n := whole(f.losses.residual != nil, len(z))
	if n > 0 {
		f.losses.residual(n, &d[0], &z[0], &y[0], scale)
	}
	residual(d[n:], z[n:], y[n:], scale)
}
