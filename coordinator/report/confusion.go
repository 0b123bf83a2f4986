package report

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"tributary/shared/job"
)

// Bounds of the picture of a confusion matrix.
const (
	maxCountedClasses = 30 // up to which a cell shows its count
	maxClassName      = 16 // characters of a class that are shown
	blueShades        = 64
)

// matrix is a confusion matrix: counts by class of the label, then by predicted class.
type matrix struct {
	classes []string
	counts  [][]int64
}

// Confusion draws a confusion matrix: a row for each class of the label, a column for each
// predicted class. The shade of a cell is its fraction of its row. It returns the picture
// as SVG and as PNG. It fails with job.ErrInvalid if there are no classes or too many.
func Confusion(title string, classes []string, counts [][]int64) (svg, raster []byte, err error) {
	n := len(classes)
	if n == 0 || n > job.MaxConfusion || len(counts) != n {
		return nil, nil, fmt.Errorf("confusion matrix of %d classes: want 1 to %d: %w", n, job.MaxConfusion, job.ErrInvalid)
	}
	m := matrix{classes, counts}
	side := vg.Length(min(10, max(5, 1.5+0.5*float64(n)))) * vg.Inch
	vector := vgsvg.New(side, side)
	page := draw.New(vector)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	m.draw(page, title)
	var out bytes.Buffer
	if _, err := vector.WriteTo(&out); err != nil {
		return nil, nil, fmt.Errorf("confusion matrix: svg: %w", err)
	}
	svg = withFonts(out.Bytes())
	pixels := vgimg.NewWith(vgimg.UseWH(side, side), vgimg.UseDPI(dotsPerInch)) // white
	m.draw(draw.New(pixels), title)
	out = bytes.Buffer{}
	if err := png.Encode(&out, pixels.Image()); err != nil {
		return nil, nil, fmt.Errorf("confusion matrix: png: %w", err)
	}
	return svg, out.Bytes(), nil
}

// withFonts names fonts with the same letter widths, for viewers without the font of the
// measurement.
func withFonts(svg []byte) []byte {
	return bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
}

func (m matrix) draw(c draw.Canvas, title string) {
	p := newPanel("predicted class", "")
	p.Title.Text = title
	p.Y.Label.Text = "class of the label"
	n := len(m.classes)
	heat := plotter.NewHeatMap(m, blues{})
	heat.Min, heat.Max = 0, 1
	p.Add(heat)
	if n <= maxCountedClasses {
		p.Add(m.labels(p.Title.TextStyle))
	}
	columns, rows, longest := make(plot.ConstantTicks, n), make(plot.ConstantTicks, n), 0
	for i, class := range m.classes {
		name := []rune(class)
		if len(name) > maxClassName {
			name = append(name[:maxClassName-1], '…')
		}
		longest = max(longest, len(name))
		columns[i] = plot.Tick{Value: float64(i), Label: string(name)}
		rows[i] = plot.Tick{Value: float64(n - 1 - i), Label: string(name)}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = columns, rows
	if longest > 2 { // side by side they would overlap
		p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = 0.7, draw.XRight, draw.YTop
	}
	p.Plot.Draw(draw.Crop(c, 12, -18, 10, -12))
}

// labels returns the counts of the cells that are not 0, centred, in a colour that its shade shows well.
func (m matrix) labels(style text.Style) *plotter.Labels {
	n := len(m.classes)
	out := &plotter.Labels{}
	for r := range n {
		for c, count := range m.counts[r] {
			if count == 0 {
				continue
			}
			s := style
			s.Font.Size, s.XAlign, s.YAlign, s.Color = 10, draw.XCenter, draw.YCenter, textColor
			if m.Z(c, n-1-r) > 0.5 {
				s.Color = color.White
			}
			out.XYs = append(out.XYs, plotter.XY{X: float64(c), Y: float64(n - 1 - r)})
			out.Labels = append(out.Labels, strconv.FormatInt(count, 10))
			out.TextStyle = append(out.TextStyle, s)
		}
	}
	return out
}

// Dims implements plotter.GridXYZ, whose rows begin at the bottom.
func (m matrix) Dims() (c, r int) { return len(m.classes), len(m.classes) }

// X implements plotter.GridXYZ.
func (m matrix) X(c int) float64 { return float64(c) }

// Y implements plotter.GridXYZ.
func (m matrix) Y(r int) float64 { return float64(r) }

// Z implements plotter.GridXYZ: the fraction of the row's label that is predicted as c.
func (m matrix) Z(c, r int) float64 {
	row, sum := m.counts[len(m.counts)-1-r], int64(0)
	for _, n := range row {
		sum += n
	}
	if sum == 0 {
		return 0
	}
	return float64(row[c]) / float64(sum)
}

// blues is a palette from white to the colour of the training curves.
type blues struct{}

// Colors implements palette.Palette.
func (blues) Colors() []color.Color {
	out := make([]color.Color, blueShades)
	for i := range out {
		mix := func(full uint8) uint8 { return uint8(255 - (255-int(full))*i/(blueShades-1)) }
		out[i] = color.RGBA{mix(trainColor.R), mix(trainColor.G), mix(trainColor.B), 255}
	}
	return out
}
