package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"tributary/shared/numeric/isa"
)

// generic lists OpenBLAS's kernels for CPUs that it does not know.
var generic = []string{"Prescott", "Generic", "Core2", "Nehalem"}

// coreType returns the value of OPENBLAS_CORETYPE that makes OpenBLAS use this CPU.
// OpenBLAS treats a CPU that is newer than the library as one without AVX, which is six
// times slower. coreType returns "" if OpenBLAS knows the CPU.
func coreType(ctx context.Context) (string, error) {
	const probe = `import ctypes
l = ctypes.CDLL("libopenblas.so.0")
l.openblas_get_corename.restype = ctypes.c_char_p
print(l.openblas_get_corename().decode())`
	c := exec.CommandContext(ctx, python, "-c", probe)
	c.Env = environment(1, "", "")
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("ask OpenBLAS for its kernels: %w", err)
	}
	if !slices.Contains(generic, strings.TrimSpace(string(out))) {
		return "", nil
	}
	sets := isa.Available()
	switch {
	case slices.Contains(sets, isa.AVX512):
		return "SkylakeX", nil
	case slices.Contains(sets, isa.AVX2):
		return "Haswell", nil
	}
	return "", nil
}
