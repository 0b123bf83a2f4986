package main

// netlib leaves the choice of the library to the linker's flags.

// #cgo LDFLAGS: -lopenblas
// extern void openblas_set_num_threads(int);
import "C"

// Both run on one thread, whatever the environment says.
func init() { C.openblas_set_num_threads(1) }
