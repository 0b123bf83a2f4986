package vector

import "tributary/shared/numeric/isa"

var native = map[isa.Set]*Functions{isa.AVX512: functionsAVX512(), isa.AVX2: functionsAVX2()}
