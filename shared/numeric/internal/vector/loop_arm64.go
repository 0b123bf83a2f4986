package vector

import "tributary/shared/numeric/isa"

var nativeKernels = map[isa.Set]*Kernels{isa.NEON: kernelsNEON()}
