// Package numeric is the arithmetic between data and parameters: every loop
// over floats that is not a matrix product, and the random numbers. Matrix
// products go through gonum's blas32, behind which it installs those of package
// blas.
//
// It owns the order of operations. Products are converted explicitly before
// they are added (float32(a*b) + c), because the Go language lets a compiler
// fuse a*b + c into one rounding, across statements and inlined calls too,
// unless it is told not to. Layers, losses, optimizers and reductions call it;
// it imports neither net, time nor os. SPECIFICATION.md lists every operation: its
// sequence, its special values and its error.
//
// Invariant: each function's result depends on its arguments alone, bit for
// bit, as [Version] has it: not on the CPU, goroutines, alignment or how a caller
// cuts a vector into parts, except where a function is documented as a reduction
// over the whole.
package numeric
