// Package vector is the loops over elements, two tables of them per instruction
// set, all with the same results: [Functions], the elementary functions of one
// element and what losses need, and [Kernels], sums of vectors, reductions,
// updates of parameters and conversions.
//
// It owns the order of operations of each, which the portable Go states, and no
// shapes: packages numeric and blas have those and are its callers. The polynomials are
// derived by the program coefficients of the module in gen.
//
// Invariant: for an element, a table's kernel and the portable Go compute the same
// bits, whatever the element's place in the vector. A reduction is one whatever
// part of it a kernel does.
package vector

//go:generate sh -c "go -C gen run ./coefficients -pkg vector > function_coefficients.go"
//go:generate sh -c "go -C gen run ./coefficients -pkg main > gen/functions/coefficients.go"
//go:generate go -C gen run ./functions -set avx2 -out ../function_avx2_amd64.s -stubs ../function_avx2_amd64.go
//go:generate go -C gen run ./functions -set avx512 -out ../function_avx512_amd64.s -stubs ../function_avx512_amd64.go
//go:generate go -C gen run ./functions -set neon -out ../function_neon_arm64.s -stubs ../function_neon_arm64.go
//go:generate go -C gen run ./functions -family loops -set avx2 -out ../loop_avx2_amd64.s -stubs ../loop_avx2_amd64.go
//go:generate go -C gen run ./functions -family loops -set avx512 -out ../loop_avx512_amd64.s -stubs ../loop_avx512_amd64.go
//go:generate go -C gen run ./functions -family loops -set neon -out ../loop_neon_arm64.s -stubs ../loop_neon_arm64.go
