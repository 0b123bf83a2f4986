// Command functions writes the assembly of package vector's elementary functions:
//
//	go -C shared/numeric/internal/vector/gen run ./functions -set avx2 -stubs ../function_avx2_amd64.go > ../function_avx2_amd64.s
//
// Each function is a program over an abstract vector machine, written once; a
// target prints it for an instruction set. It owns no arithmetic of its own: the
// order of operations is that of package vector's portable Go.
//
// Invariant: an operation of a program is one instruction that rounds as IEEE 754
// says, or a selection.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

var (
	set   = flag.String("set", "avx2", "instruction set: avx2, avx512 or neon")
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
	var s, g bytes.Buffer
	assembly(&s, t)
	declarations(&g, t)
	if err := os.WriteFile(*out, s.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(*stubs, g.Bytes(), 0o644)
}
