package blas

import (
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/internal/kernel"
)

// Panels is a matrix [Rows, Cols] in the memory layout that kernels read: panels of a fixed
// number of columns. A product of panels needs no packing. The last panel may have columns
// beyond Cols; their contents are undefined, and no result depends on them.
//
// A panel is contiguous. An elementwise operation can therefore be applied to whole panels
// if all operands are panels of the same shape.
type Panels struct {
	Rows, Cols int

	s    *kernel.Set
	data []float32 // element (i, j) is data[j/nr·ps + i·nr + j%nr]
	nr   int       // columns of a panel: NR, or 1
	ps   int
}

// installed returns the kernels of the Implementation that is installed in blas32, or those
// of the zero Implementation if another one is installed.
func installed() *kernel.Set {
	im, _ := blas32.Implementation().(Implementation)
	return im.kernels()
}

// Reset makes p a matrix [rows, cols] with undefined contents. It allocates only if p was
// never as large.
func (p *Panels) Reset(rows, cols int) {
	s := installed()
	p.reset(s, rows, cols, s.NR)
}

// ResetNarrow is Reset for a matrix that is not the B of [GemmTree]. If it has few columns,
// each column is a panel.
func (p *Panels) ResetNarrow(rows, cols int) {
	s := installed()
	if 2*cols < s.NR {
		p.reset(s, rows, cols, 1)
		return
	}
	p.reset(s, rows, cols, s.NR)
}

// ResetLike makes p a single panel with the given rows, as wide as the panels of q.
func (p *Panels) ResetLike(q *Panels, rows int) { p.reset(q.s, rows, q.nr, q.nr) }

// Width returns the number of columns of a full panel.
func (p *Panels) Width() int { return p.nr }

func (p *Panels) reset(s *kernel.Set, rows, cols, nr int) {
	p.s, p.nr = s, nr
	p.Rows, p.Cols = rows, cols
	// One more cache line than a panel has, so that panels do not conflict in the cache.
	p.ps = rows*nr + 16
	if need := p.Len() * p.ps; cap(p.data) < need {
		p.data = aligned(need)
	} else {
		p.data = p.data[:need]
	}
}

// PanelFloats estimates the floats of a matrix after Reset, with the widest kernels.
func PanelFloats(rows, cols int) int64 {
	return int64((cols+widest-1)/widest) * int64(rows*widest+16)
}

// NarrowFloats is PanelFloats for a matrix after ResetNarrow.
func NarrowFloats(rows, cols int) int64 {
	if 2*cols < widest {
		return int64((rows + 16) * cols)
	}
	return PanelFloats(rows, cols)
}

// Len returns the number of panels.
func (p *Panels) Len() int { return (p.Cols + p.nr - 1) / p.nr }

// Panel returns rows lo to hi of panel i, including columns beyond Cols.
func (p *Panels) Panel(i, lo, hi int) []float32 {
	return p.data[i*p.ps+lo*p.nr : i*p.ps+hi*p.nr]
}

// width returns the number of columns of panel i that are below Cols.
func (p *Panels) width(i int) int { return min(p.nr, p.Cols-i*p.nr) }

// Fill sets all elements to v.
func (p *Panels) Fill(v float32) {
	for i := range p.data {
		p.data[i] = v
	}
}

// Spread sets every column to v [Rows].
func (p *Panels) Spread(v []float32) {
	if p.nr == 1 {
		for j := range p.Cols {
			copy(p.Panel(j, 0, p.Rows), v)
		}
		return
	}
	for i := range p.Len() {
		panel := p.Panel(i, 0, p.Rows)
		for r, x := range v[:p.Rows] {
			row := panel[r*p.nr : (r+1)*p.nr]
			for j := range row {
				row[j] = x
			}
		}
	}
}

// rowPanels is how many panels a few rows are copied to at a time. More panels would need
// more pages than a core's TLB holds.
const rowPanels = 16

// SetRows sets rows to, to + 1, … to the rows v [Cols].
func (p *Panels) SetRows(to int, v [][]float32) {
	nr := p.nr
	full := 0
	if p.s.CopyB != nil {
		full = p.Cols / nr
	}
	for ; len(v) > 0; to, v = to+min(nr, len(v)), v[min(nr, len(v)):] {
		rows := v[:min(nr, len(v))]
		for j := 0; j < full; j += rowPanels {
			for i, row := range rows {
				p.s.CopyB(1, min(rowPanels, full-j), &row[j*nr], 0, 4*nr, &p.data[j*p.ps+(to+i)*nr], 0, 4*p.ps)
			}
		}
		for i, row := range rows {
			for j := full * nr; j < p.Cols; j += nr {
				copy(p.data[j/nr*p.ps+(to+i)*nr:], row[j:min(j+nr, p.Cols)])
			}
		}
	}
}

// SetTransposed sets p [t.Cols, Cols] to the transpose of rows from, from + 1, … of t.
func (p *Panels) SetTransposed(t *Panels, from int) {
	for i := range p.Len() {
		for b := range t.Len() {
			transpose(p.s, p.Panel(i, b*t.nr, p.Rows), p.nr, t.Panel(b, from+i*p.nr, t.Rows), t.nr, p.width(i), t.width(b))
		}
	}
}

// SetRowsTransposed sets rows to, to + 1, … of p [., t.Rows] to the transpose of t.
func (p *Panels) SetRowsTransposed(to int, t *Panels) {
	for b := range p.Len() {
		for i := range t.Len() {
			transpose(p.s, p.Panel(b, to+i*t.nr, p.Rows), p.nr, t.Panel(i, b*p.nr, t.Rows), t.nr, p.width(b), t.width(i))
		}
	}
}

// SetColumns sets the columns of p to v, each [Rows]. rows is a buffer.
func (p *Panels) SetColumns(rows *Panels, v [][]float32) {
	if p.nr == p.s.NR {
		rows.Reset(len(v), p.Rows)
		rows.SetRows(0, v)
		p.SetTransposed(rows, 0)
		return
	}
	for j, column := range v {
		copy(p.Panel(j, 0, p.Rows), column)
	}
}

// TransposeTo sets v [Cols, Rows] to the transpose of p.
func (p *Panels) TransposeTo(v []float32) {
	if p.nr == 1 {
		for j := range p.Cols {
			copy(v[j*p.Rows:], p.Panel(j, 0, p.Rows))
		}
		return
	}
	for i := range p.Len() {
		transpose(p.s, v[i*p.nr*p.Rows:], p.Rows, p.Panel(i, 0, p.Rows), p.nr, p.Rows, p.width(i))
	}
}

// TransposeFrom sets p to the transpose of v [Cols, Rows].
func (p *Panels) TransposeFrom(v []float32) {
	if p.nr == 1 {
		for j := range p.Cols {
			copy(p.Panel(j, 0, p.Rows), v[j*p.Rows:])
		}
		return
	}
	for i := range p.Len() {
		transpose(p.s, p.Panel(i, 0, p.Rows), p.nr, v[i*p.nr*p.Rows:], p.Rows, p.width(i), p.Rows)
	}
}

// CopyTo copies p to the columns to, to + 1, … of v. It may write beyond Cols, up to the
// next multiple of 16 columns.
func (p *Panels) CopyTo(v blas32.General, to int) {
	nr := p.nr
	for i := range p.Len() {
		panel, at := p.Panel(i, 0, p.Rows), to+i*nr
		width := min(nr, (p.width(i)+15)&^15, v.Stride-at)
		if width == p.s.NR && p.s.CopyB != nil {
			p.s.CopyB(p.Rows, 1, &panel[0], 4*nr, 0, &v.Data[at], 4*v.Stride, 0)
			continue
		}
		for r := range p.Rows {
			copy(v.Data[r*v.Stride+at:][:width], panel[r*nr:])
		}
	}
}
