//go:build !amd64 && !arm64

package vector

import "tributary/shared/numeric/isa"

var native map[isa.Set]*Functions
