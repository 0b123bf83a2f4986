package kernel

import "tributary/shared/numeric/isa"

var dots = [][]FewOf{
	{{32, dotsAVX2x1x32}, {24, dotsAVX2x1x24}, {16, dotsAVX2x1x16}, {8, dotsAVX2x1x8}},
	{{16, dotsAVX2x2x16}, {8, dotsAVX2x2x8}},
	{{16, dotsAVX2x3x16}, {8, dotsAVX2x3x8}},
	{{8, dotsAVX2x4x8}},
}

var native = []*Set{
	{
		Name: isa.AVX512, MR: 14, NR: 32, Transpose8: transpose8, Transpose16: transpose16, TransposeFew: transpose16few, CopyA: copyPanels16, CopyB: copyPanels32,
		Rows: [][]FewOf{{{128, rowAVX512x1x128}, {64, rowAVX512x1x64}}}, Dots: dots[:3],
		Bulk: []FewOf{{32, dotsAVX512x1x32}, {32, dotsAVX512x2x32}, {32, dotsAVX512x3x32}},
		Cols: []Few{colsAVX512x4, colsAVX512x5, colsAVX512x6, colsAVX512x7},
		Half: panelAVX512x16, Wide: panelAVX512x32, Narrow: [2]Panel{panelAVX512x16masked, panelAVX512x32masked},
	},
	{
		Name: isa.AVX2, MR: 6, NR: 16, Transpose8: transpose8, CopyA: copyPanels8, CopyB: copyPanels16,
		Rows: [][]FewOf{{{64, rowAVX2x1x64}, {32, rowAVX2x1x32}}, {{32, rowAVX2x2x32}}, {{32, rowAVX2x3x32}}}, Dots: dots,
		Half: panelAVX2x8, Wide: panelAVX2x16, Narrow: [2]Panel{panelAVX2x8masked, panelAVX2x16masked},
	},
}
