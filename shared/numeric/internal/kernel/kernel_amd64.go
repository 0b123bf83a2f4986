package kernel

import "tributary/shared/numeric/isa"

var native = []*Set{
	{Name: isa.AVX512, MR: 14, NR: 32, Wide: panelAVX512x32, Half: panelAVX512x16, Masked: true, Transpose: transpose8},
	{Name: isa.AVX2, MR: 6, NR: 16, Wide: panelAVX2x16, Half: panelAVX2x8, Transpose: transpose8},
}
