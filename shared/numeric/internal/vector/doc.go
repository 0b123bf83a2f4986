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

//go:generate sh -c "go -C gen run ./coefficients > function_coefficients.go"
