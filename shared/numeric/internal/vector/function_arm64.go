package vector

import "tributary/shared/numeric/isa"

var native = map[isa.Set]*Functions{isa.NEON: functionsNEON()}
