package numeric

import _ "tributary/shared/numeric/blas" // installs the specified products behind blas32

// Version names the specification of the arithmetic of this package and package blas.
// Programs with the same version compute the same bits on any CPU. A change of any bit
// needs a new version.
const Version = "tributary-2"

// Fingerprint returns what identifies the float arithmetic of a process: [Version].
func Fingerprint() string { return Version }
