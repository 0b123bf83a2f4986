package report

import (
	"image"
	"image/color"
)

// shades is the number of steps from the page's white to an ink. 7 inks could have 36 of
// the 256 colours of an indexed picture, but that looks no smoother and each colour costs
// a comparison.
const shades = 16

// palette has the colours of the edges of lines and letters in one ink on white. Where
// inks mix, the nearest colour replaces the mixture.
var palette = func() color.Palette {
	p := color.Palette{color.RGBA{R: 255, G: 255, B: 255, A: 255}}
	for _, ink := range []color.RGBA{trainColor, faintColor, validationColor, testColor, textColor, axisColor, gridColor} {
		for i := 1; i <= shades; i++ {
			mix := func(x uint8) uint8 { return uint8(255 - (255-int(x))*i/shades) }
			p = append(p, color.RGBA{R: mix(ink.R), G: mix(ink.G), B: mix(ink.B), A: 255})
		}
	}
	return p
}()

// indexed returns an opaque picture with the palette's colours. It has a quarter of the
// bytes to compress and needs no filter.
func indexed(from *image.RGBA) *image.Paletted {
	to := image.NewPaletted(from.Rect, palette)
	known := map[[3]uint8]uint8{}
	var last [3]uint8 // most pixels equal the one before
	var index uint8
	for i := range to.Pix {
		if c := [3]uint8(from.Pix[4*i:]); c != last || i == 0 {
			var ok bool
			if index, ok = known[c]; !ok {
				index = uint8(palette.Index(color.RGBA{R: c[0], G: c[1], B: c[2], A: 255}))
				known[c] = index
			}
			last = c
		}
		to.Pix[i] = index
	}
	return to
}
