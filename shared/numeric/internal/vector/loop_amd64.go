package vector

import "tributary/shared/numeric/isa"

var nativeKernels = map[isa.Set]*Kernels{isa.AVX512: kernelsAVX512(), isa.AVX2: kernelsAVX2()}
