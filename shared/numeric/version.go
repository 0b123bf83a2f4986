package numeric

import _ "tributary/shared/numeric/blas" // installs the specified products behind blas32

// Version names the specification of the arithmetic: this package and package
// blas. Programs with the same version compute the same bits on any CPU; a change
// of any bit is a change of version.
const Version = "tributary-2"

// Fingerprint is what a process says of its float arithmetic: [Version].
func Fingerprint() string { return Version }
