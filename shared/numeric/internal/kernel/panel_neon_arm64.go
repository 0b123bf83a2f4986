package kernel

// panelNEON8 is [Panel] for 8 columns in blocks of 8 rows; mask is not read.
//
//go:noescape
func panelNEON8(m, k int, a *float32, rsa, csa, psa int, b *float32, rsb int, c *float32, rsc int, t *float32, rst, next int, use, mask uint64)

// panelNEON4 is [Panel] for 4 columns in blocks of 8 rows; mask is not read.
//
//go:noescape
func panelNEON4(m, k int, a *float32, rsa, csa, psa int, b *float32, rsb int, c *float32, rsc int, t *float32, rst, next int, use, mask uint64)

// transposeNEON is [Transpose].
//
//go:noescape
func transposeNEON(n int, src *float32, lds, asrc int, dst *float32, ldd, adst int)

// copyPanelsNEON is [CopyPanels] for 8 elements.
//
//go:noescape
func copyPanelsNEON(k, panels int, src *float32, lds, step int, dst *float32, row, panel int)
