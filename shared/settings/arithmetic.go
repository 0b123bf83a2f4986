package settings

import (
	"fmt"

	"tributary/shared/numeric"
	"tributary/shared/numeric/isa"
)

// Arithmetic returns the text of --help about the arithmetic that this process uses.
func Arithmetic() string {
	return fmt.Sprintf("The arithmetic is %s, the same bits on every CPU; here it runs on the %s kernels. "+
		"The environment variable %s chooses others, of %v: slower or faster, never another result.",
		numeric.Version, isa.Chosen(), isa.Variable, isa.Available())
}
