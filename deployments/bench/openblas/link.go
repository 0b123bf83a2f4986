package main

// netlib leaves the choice of the library to the linker's flags.

// #cgo LDFLAGS: -lopenblas
import "C"
