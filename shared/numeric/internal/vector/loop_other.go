//go:build !amd64 && !arm64

package vector

import "tributary/shared/numeric/isa"

var nativeKernels map[isa.Set]*Kernels
