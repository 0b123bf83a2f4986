// Package vector is the loops over elements, one table of them per instruction
// set, all with the same results: the elementary functions of one element, and
// the reductions that losses need.
//
// It owns the order of operations of each, which the portable Go states, and no
// shapes: package numeric has those and is its only caller. The polynomials are
// derived by the program coefficients of the module in gen.
//
// Invariant: for an element, a table's kernel and the portable Go compute the same
// bits, whatever the element's place in the vector.
package vector

//go:generate sh -c "go -C gen run ./coefficients -pkg vector > function_coefficients.go"
//go:generate sh -c "go -C gen run ./coefficients -pkg main > gen/functions/coefficients.go"
//go:generate go -C gen run ./functions -set avx2 -out ../function_avx2_amd64.s -stubs ../function_avx2_amd64.go
//go:generate go -C gen run ./functions -set avx512 -out ../function_avx512_amd64.s -stubs ../function_avx512_amd64.go
//go:generate go -C gen run ./functions -set neon -out ../function_neon_arm64.s -stubs ../function_neon_arm64.go
