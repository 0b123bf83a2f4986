package settings

import (
	"fmt"

	"tributary/shared/numeric"
	"tributary/shared/numeric/isa"
)

// Arithmetic returns the text of --help about the arithmetic that this process uses.
func Arithmetic() string {
	return fmt.Sprintf("The arithmetic is %s: it computes the same bits on every CPU. This machine runs it on the %s kernels. "+
		"The environment variable %s chooses others of %v; they change the speed, never the result.",
		numeric.Version, isa.Chosen(), isa.Variable, isa.Available())
}
