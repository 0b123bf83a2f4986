// Package blas is the matrix products of all training, behind gonum's blas32. It specifies
// them so that every CPU computes the same bits.
//
// It owns the order of operations within a product. It also owns blocking, packing and
// threads, which must not change any bit. It does not own the loops over vectors; package
// numeric does. Package numeric imports this package and so installs it. Model code calls
// blas32 and does not know this package.
//
// # Specification
//
// fma(x, y, z) is IEEE 754-2008 fusedMultiplyAdd of float32: x·y + z rounded once, to
// nearest, ties to even. · and + alone are rounded in the same way. Subnormal numbers are
// numbers: nothing is flushed to zero. If an operation returns a NaN, it is the canonical
// NaN, 0x7fc00000, whatever NaN the operands were.
//
//	Sgemm   C[i,j] = chain over l = 0, 1, …, k−1:  c ← fma(α·A[i,l], B[l,j], c)
//	GemmAdd C[i,j] = C[i,j] + T[i,j], T the Sgemm of the same factors with β = 0
//	GemmTree C[i,j] = S(all leaves), S(leaf) = the Sgemm of the leaf's part of k with β = 0, S(node) = S(left) + S(right)
//	GemmPanels C = the Sgemm with α = 1 and β = 0
//	Sgemv   y[i]   = chain over j = 0, 1, …:       c ← fma(A[i,j], α·x[j], c)
//	Sger    A[i,j] = fma(α·x[i], y[j], A[i,j])
//	Saxpy   y[i]   = fma(α, x[i], y[i])
//	Sscal   x[i]   = α·x[i]
//	Sdot    Σ x[i]·y[i]
//	Snrm2   √Σ x[i]²
//	Sasum   Σ |x[i]|
//
// Here A and B stand for op(A) and op(B), transposed or not.
//
// A chain is a sequence of fma on one accumulator c. If β = 0, it starts from c = +0; C (or
// y) is not read and is overwritten, even a NaN. If β = 1, it starts from C[i,j] unchanged.
// For any other β, it starts from β·C[i,j], rounded. If α = 1, nothing is multiplied by α.
// For any other α, the product with α comes first and is rounded. If α = 0, A, B and x are
// not read and the chain is empty; Sger and Saxpy do nothing, Sscal writes +0 and GemmAdd
// adds +0. An empty chain returns its start: with β = 1 it does not change even a NaN.
// Conjugate transposition is transposition. The strides and increments of BLAS, including
// negative ones, only say where elements are. Invalid arguments panic with gonum's
// messages.
//
// A step with a zero factor is not skipped: fma(0, ∞, c) is NaN, and fma(0, 1, −0) is +0.
//
// Error against exact arithmetic: a chain of k steps rounds k times, so |C − exact| ≤
// γ·(|β·C₀| + Σ|A[i,l]·B[l,j]|) + k·2⁻¹⁵⁰ with γ = k·u/(1 − k·u) and u = 2⁻²⁴, unless there
// is an overflow (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, 3.1 and
// problem 2.27). If α or β is not 0 or 1, each adds one rounding.
//
// The sums of Sdot, Snrm2 and Sasum are computed in float64 in 16 lanes, like package
// numeric's reductions, and the result is rounded once to float32. Products of two float32
// are exact in float64. The sum of no elements is +0. For a negative increment, Snrm2 and
// Sasum are 0, and Sscal does nothing.
//
// All other operations of the interface are gonum's own. They are not specified and may
// differ between CPUs.
//
// # Implementations
//
// Kernels for AVX-512, AVX2, NEON and portable Go are in internal/kernel; [isa] chooses. As
// in BLIS (Van Zee & van de Geijn, "BLIS: a framework for rapidly instantiating BLAS
// functionality", 2015), products are split into panels of B and blocks of A that fit the
// caches. Matrices whose memory layout already suits the kernels are not packed. C = A·B is
// computed as Cᵀ = Bᵀ·Aᵀ if that packs less. Products of few rows or columns, and the few
// columns that remain after whole panels, have their own kernels, which transpose in
// registers and pack nothing. GemmTree takes one tile of C at a time through the whole
// tree. The last block of a leaf adds all the sums that the leaf completes in registers and
// stores once. The scratch is one tile for each level of the tree.
//
// Invariant: each element is one chain, computed by one goroutine, in order. No result
// depends on the instruction set, blocks, padding, threads, alignment or earlier contents
// of a buffer.
package blas
