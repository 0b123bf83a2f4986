// Command functions writes the assembly of package vector: its elementary functions or all
// its other loops:
//
//	go -C shared/numeric/internal/vector/gen run ./functions -set avx2 -family loops -out ../loop_avx2_amd64.s -stubs ../loop_avx2_amd64.go
//
// Each kernel is a program for an abstract vector machine (machine.go), written once
// (programs.go, loops.go). A target (x86.go, neon.go) prints it for an instruction set. A
// program does not name registers or lanes; it describes the computation for one element.
// It does not own arithmetic: the order of operations is that of package vector's portable
// Go code.
//
// Invariant: an operation of a program is one instruction that rounds as IEEE 754 defines,
// or a selection.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

var (
	set   = flag.String("set", "avx2", "instruction set: avx2, avx512 or neon")
	which = flag.String("family", "functions", "kernels: functions or loops")
	out   = flag.String("out", "", "file for the assembly")
	stubs = flag.String("stubs", "", "file for the declarations")
)

func main() {
	flag.Parse()
	if err := generate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate() error {
	var t target
	switch *set {
	case "avx2":
		t = &x86{}
	case "avx512":
		t = &x86{wide: true}
	case "neon":
		t = &neon{}
	default:
		return fmt.Errorf("set %q: want avx2, avx512 or neon", *set)
	}
	f, ok := families[*which]
	if !ok {
		return fmt.Errorf("family %q: want functions or loops", *which)
	}
	var s, g bytes.Buffer
	f.assembly(&s, t)
	f.declarations(&g, t)
	if err := os.WriteFile(*out, s.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(*stubs, g.Bytes(), 0o644)
}
