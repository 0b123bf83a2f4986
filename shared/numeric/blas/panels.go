package blas

import (
	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/internal/kernel"
)

// Panels is a matrix [Rows, Cols] that lies as kernels take it, in panels of so
// many columns: a product of panels needs no packing. The columns of the last
// panel that are beyond Cols hold anything, and nothing depends on them.
//
// A panel is contiguous, so elementwise operations apply to it as it is, as long
// as all their operands are panels of one shape.
type Panels struct {
	Rows, Cols int

	s    *kernel.Set
	data []float32 // element (i, j) is data[j/NR·ps + i·NR + j%NR]
	ps   int
}

// installed returns the kernels of the Implementation that blas32 has, or else
// of the zero one.
func installed() *kernel.Set {
	im, _ := blas32.Implementation().(Implementation)
	return im.kernels()
}

// Reset makes p a matrix [rows, cols] of anything. It allocates when p has never
// been as large.
func (p *Panels) Reset(rows, cols int) {
	p.s = installed()
	p.Rows, p.Cols = rows, cols
	// A cache line more than a panel has, so that panels do not meet in the cache.
	p.ps = rows*p.s.NR + 16
	if need := p.Len() * p.ps; cap(p.data) < need {
		p.data = aligned(need)
	} else {
		p.data = p.data[:need]
	}
}

// Len is the number of panels.
func (p *Panels) Len() int { return (p.Cols + p.s.NR - 1) / p.s.NR }

// Panel returns rows lo to hi of panel i, columns beyond Cols included.
func (p *Panels) Panel(i, lo, hi int) []float32 {
	return p.data[i*p.ps+lo*p.s.NR : i*p.ps+hi*p.s.NR]
}

// width is the number of columns of panel i.
func (p *Panels) width(i int) int { return min(p.s.NR, p.Cols-i*p.s.NR) }

// Fill sets all elements to v.
func (p *Panels) Fill(v float32) {
	for i := range p.data {
		p.data[i] = v
	}
}

// Spread sets every column to v [Rows].
func (p *Panels) Spread(v []float32) {
	for i := range p.Len() {
		panel := p.Panel(i, 0, p.Rows)
		for r, x := range v[:p.Rows] {
			row := panel[r*p.s.NR : (r+1)*p.s.NR]
			for j := range row {
				row[j] = x
			}
		}
	}
}

// rowPanels is how many panels a few rows are copied to at a time: more would lie
// in more pages than a core finds at once.
const rowPanels = 16

// SetRows sets rows to, to + 1, … to the rows v [Cols].
func (p *Panels) SetRows(to int, v [][]float32) {
	nr := p.s.NR
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

// Turn makes p [t.Cols, Cols] the transpose of rows from, from + 1, … of t.
func (p *Panels) Turn(t *Panels, from int) {
	nr := p.s.NR
	for i := range p.Len() {
		for b := range t.Len() {
			turn(p.s, p.Panel(i, b*nr, p.Rows), nr, t.Panel(b, from+i*nr, t.Rows), nr, p.width(i), t.width(b))
		}
	}
}

// SetTurned sets rows to, to + 1, … of p [., t.Rows] to the transpose of t.
func (p *Panels) SetTurned(to int, t *Panels) {
	nr := p.s.NR
	for b := range p.Len() {
		for i := range t.Len() {
			turn(p.s, p.Panel(b, to+i*nr, p.Rows), nr, t.Panel(i, b*nr, t.Rows), nr, p.width(b), t.width(i))
		}
	}
}

// TurnTo sets v [Cols, Rows] to the transpose of p.
func (p *Panels) TurnTo(v []float32) {
	for i := range p.Len() {
		turn(p.s, v[i*p.s.NR*p.Rows:], p.Rows, p.Panel(i, 0, p.Rows), p.s.NR, p.Rows, p.width(i))
	}
}

// TurnFrom sets p to the transpose of v [Cols, Rows].
func (p *Panels) TurnFrom(v []float32) {
	for i := range p.Len() {
		turn(p.s, p.Panel(i, 0, p.Rows), p.s.NR, v[i*p.s.NR*p.Rows:], p.Rows, p.width(i), p.Rows)
	}
}

// CopyTo copies p to the columns of v from column to on. What it writes beyond
// Cols stays below the next multiple of 16 columns.
func (p *Panels) CopyTo(v blas32.General, to int) {
	nr := p.s.NR
	for i := range p.Len() {
		panel, at := p.Panel(i, 0, p.Rows), to+i*nr
		width := min(nr, (p.width(i)+15)&^15, v.Stride-at)
		if width == nr && p.s.CopyB != nil {
			p.s.CopyB(p.Rows, 1, &panel[0], 4*nr, 0, &v.Data[at], 4*v.Stride, 0)
			continue
		}
		for r := range p.Rows {
			copy(v.Data[r*v.Stride+at:][:width], panel[r*nr:])
		}
	}
}
