// Package blas is the matrix products of all training, as a specification that
// every CPU meets bit for bit, behind gonum's blas32.
//
// It owns the order of operations within a product, and the blocking, packing
// and threads that must not show in it. It does not own the loops over vectors
// of package numeric, which imports it and so installs it. Model code calls
// blas32 and does not know of it.
//
// # Specification
//
// fma(x, y, z) is IEEE 754-2008 fusedMultiplyAdd of float32: x·y + z rounded once,
// to nearest, ties to even; · and + alone are rounded likewise. Subnormal numbers
// are numbers: nothing is flushed to zero. A NaN that any operation returns is
// the canonical one, 0x7fc00000, whatever NaN came in.
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
// where A and B stand for op(A) and op(B), transposed or not.
//
// A chain starts from c = +0 when β = 0, and then C (or y) is not read: NaN or not,
// it is overwritten. It starts from C[i,j] as it is when β = 1, and else from
// β·C[i,j], rounded. α = 1 multiplies nothing; any other α is multiplied first and
// that product rounded. With α = 0 neither A and B nor x is read, the chain is
// empty, and Sger and Saxpy do nothing; Sscal writes +0 and GemmAdd adds it. An
// empty chain returns where it starts: with β = 1 not even a NaN changes. Conjugate
// transposition is transposition. The strides and increments of BLAS, negative ones
// included, say where elements lie and nothing else. Wrong arguments panic in
// gonum's words.
//
// A zero factor is no reason to leave a step out: fma(0, ∞, c) is NaN, and fma(0, 1,
// −0) is +0.
//
// Error against exact arithmetic: a chain of k steps rounds k times, so
// |C − exact| ≤ γ·(|β·C₀| + Σ|A[i,l]·B[l,j]|) + k·2⁻¹⁵⁰ with γ = k·u/(1 − k·u) and u = 2⁻²⁴,
// barring overflow (Higham, "Accuracy and Stability of Numerical Algorithms",
// 2002, 3.1 and problem 2.27). α and β other than 0 and 1 add one rounding each.
//
// The sums of Sdot, Snrm2 and Sasum are computed in float64 in 16 lanes, as package
// numeric's reductions are, and the result is rounded once to float32. Products of two
// float32 are exact in float64. Of no elements the sum is +0; Snrm2 and Sasum are 0, and
// Sscal does nothing, for a negative increment.
//
// All other operations of the interface are gonum's own, are not specified, and
// may differ between CPUs.
//
// # Implementations
//
// Kernels for AVX-512, AVX2, NEON and portable Go lie in internal/kernel; [isa]
// chooses. Products are cut as in BLIS (Van Zee & van de Geijn, "BLIS: a
// framework for rapidly instantiating BLAS functionality", 2015) into panels of B
// and blocks of A that fit the caches; packing is left out where memory already
// lies well, and C = A·B is computed as Cᵀ = Bᵀ·Aᵀ where that packs less.
// Products of few rows or columns, and few columns beyond whole panels, have
// kernels of their own, which transpose in registers and pack nothing. GemmTree takes
// a tile of C through the whole tree at a time. The last block of a leaf adds all the
// sums that the leaf completes in registers and stores once. The scratch is one tile
// for each level of the tree.
//
// Invariant: each element is one chain, computed by one goroutine, in order. No
// result depends on the instruction set, blocks, padding, threads, alignment or
// what a buffer held.
package blas
