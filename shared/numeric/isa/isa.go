// Package isa says which instruction set the specified arithmetic runs on in
// this process. It owns detection and the override by the environment variable
// TRIBUTARY_NUMERICS; the packages with assembly ask it, programs print it.
//
// Invariant: the choice changes how fast a result comes, never one bit of it.
package isa

import (
	"fmt"
	"os"
	"slices"
)

// Set is an instruction set that kernels are written for.
type Set string

// The instruction sets. Go is none: portable Go code.
const (
	Go     Set = "go"
	AVX2   Set = "avx2"   // amd64: AVX2, FMA and F16C
	AVX512 Set = "avx512" // amd64: AVX-512 F, VL, BW and DQ
	NEON   Set = "neon"   // arm64: Advanced SIMD, on every arm64 CPU
)

// Variable is the environment variable that overrides the choice.
const Variable = "TRIBUTARY_NUMERICS"

// Available returns the sets that this CPU can run, the fastest first and Go
// last.
func Available() []Set { return append(detect(), Go) }

// Choose returns the set named by the override; the fastest when it is empty.
// A name that is unknown, or that this CPU cannot run, is an error, and then
// the set is the fastest, as good as any other.
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

// Chosen returns the set of this process, fixed at its start.
func Chosen() Set { return chosen }

// Err returns what was wrong with the override when the process started.
func Err() error { return chosenErr }
