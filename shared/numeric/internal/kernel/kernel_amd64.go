package kernel

import "tributary/shared/numeric/isa"

var native = []*Set{
	{
		Name: isa.AVX512, MR: 14, NR: 32, Transpose: transpose8, CopyA: copyPanels16, CopyB: copyPanels32,
		Half: panelAVX512x16, Wide: panelAVX512x32, Narrow: [2]Panel{panelAVX512x16, panelAVX512x32},
	},
	{
		Name: isa.AVX2, MR: 6, NR: 16, Transpose: transpose8, CopyA: copyPanels8, CopyB: copyPanels16,
		Half: panelAVX2x8, Wide: panelAVX2x16, Narrow: [2]Panel{panelAVX2x8masked, panelAVX2x16masked},
	},
}
