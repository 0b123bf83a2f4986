package kernel

import "tributary/shared/numeric/isa"

var native = []*Set{{
	Name: isa.NEON, MR: 8, NR: 8, Transpose8: transposeNEON, CopyA: copyPanelsNEON, CopyB: copyPanelsNEON,
	Half: panelNEON4, Wide: panelNEON8,
}}
