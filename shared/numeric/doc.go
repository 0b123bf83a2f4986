// Package numeric is the arithmetic between data and parameters: every loop over floats
// that is not a matrix product, and the random numbers. Matrix products go through gonum's
// blas32; this package installs package blas behind it.
//
// It owns the order of operations. The Go language allows a compiler to fuse a*b + c into
// one rounding, even across statements and inlined calls. An explicit conversion forbids
// this, so every product is converted before it is added: float32(a*b) + c. Layers, losses,
// optimizers and reductions call this package. It does not import net, time or os.
// SPECIFICATION.md lists every operation with its sequence, its special values and its
// error.
//
// Invariant: the result of each function depends only on its arguments, bit for bit, for
// one [Version]. It does not depend on the CPU, goroutines or alignment. It also does not
// depend on how a caller splits a vector, unless the function is documented as a reduction
// over the whole vector.
package numeric
