// Package isa says which instruction set the specified arithmetic uses in this process.
//
// It owns the detection, and the override by the environment variable TRIBUTARY_NUMERICS.
// The packages with assembly ask it, and programs print it.
//
// Invariant: the choice changes how fast a result comes, never one bit of the result.
package isa

import (
	"fmt"
	"os"
	"slices"
)

// Set is an instruction set that kernels are written for.
type Set string

// The instruction sets. Go means portable Go code without a special instruction set.
const (
	Go     Set = "go"
	AVX2   Set = "avx2"   // amd64: AVX2, FMA and F16C
	AVX512 Set = "avx512" // amd64: AVX-512 F, VL, BW and DQ
	NEON   Set = "neon"   // arm64: Advanced SIMD, on every arm64 CPU
)

// Variable is the environment variable that overrides the choice.
const Variable = "TRIBUTARY_NUMERICS"

// Available returns the sets that this CPU can run. The fastest is first, and Go is last.
func Available() []Set { return append(detect(), Go) }

// Choose returns the set that override names, or the fastest set if override is empty. If
// the name is unknown or this CPU cannot run the set, Choose returns the fastest set and an
// error. The caller may use that set, because all sets give the same bits.
func Choose(override string) (Set, error) {
	available := Available()
	if override == "" {
		return available[0], nil
	}
	if s := Set(override); slices.Contains(available, s) {
		return s, nil
	}
	return available[0], fmt.Errorf("%s: %q: want one that this CPU has, of %q", Variable, override, available)
}

var chosen, chosenErr = Choose(os.Getenv(Variable))

// Chosen returns the set of this process. It does not change after the start.
func Chosen() Set { return chosen }

// Err returns the error of the override at the start of the process.
func Err() error { return chosenErr }
