// Package vector contains the loops over elements, in two tables per instruction set:
// [Functions] and [Kernels]. All instruction sets give the same results. Functions are the
// elementary functions of one element and what losses need. Kernels are sums of vectors,
// reductions, updates of parameters and conversions.
//
// It owns the order of operations of each loop, which the portable Go code defines. It does
// not own shapes; the callers, packages numeric and blas, do. The program coefficients of
// the module in gen derives the polynomials.
//
// Invariant: for an element, the kernel of a table and the portable Go code compute the
// same bits, wherever the element is in the vector. A reduction has the same bits, whatever
// part of it a kernel computes.
package vector

//go:generate sh -c "go -C gen run ./coefficients -pkg vector > function_coefficients.go"
//go:generate sh -c "go -C gen run ./coefficients -pkg main > gen/functions/coefficients.go"
//go:generate go -C gen run ./functions -set avx2 -out ../function_avx2_amd64.s -stubs ../function_avx2_amd64.go
//go:generate go -C gen run ./functions -set avx512 -out ../function_avx512_amd64.s -stubs ../function_avx512_amd64.go
//go:generate go -C gen run ./functions -set neon -out ../function_neon_arm64.s -stubs ../function_neon_arm64.go
//go:generate go -C gen run ./functions -family loops -set avx2 -out ../loop_avx2_amd64.s -stubs ../loop_avx2_amd64.go
//go:generate go -C gen run ./functions -family loops -set avx512 -out ../loop_avx512_amd64.s -stubs ../loop_avx512_amd64.go
//go:generate go -C gen run ./functions -family loops -set neon -out ../loop_neon_arm64.s -stubs ../loop_neon_arm64.go
