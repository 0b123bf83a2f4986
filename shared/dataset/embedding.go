package dataset

import (
	"fmt"
	"iter"

	"tributary/shared/job"
)

// maxEmbedded limits the categories of all embedded columns, so that each of their numbers
// is exact in a float32.
const maxEmbedded = 1 << 24

// Embedding describes the columns whose categories are embedded. Their features come after
// those of all other columns.
type Embedding struct {
	Columns int // number of such columns; 0: there are none
	Rows    int // categories of all of them
	Units   int // of the vector of a category
}

// Embedding returns the embedded columns.
func (p *Preprocessing) Embedding() (e Embedding) {
	for i := range p.Columns {
		if c := &p.Columns[i]; c.Embed > 0 {
			e.Columns, e.Rows, e.Units = e.Columns+1, e.Rows+c.Size(), c.Embed
		}
	}
	return e
}

// Split cuts a row of features into the numbers and the numbers of the categories. It
// appends the latter to categories, and returns both.
func (e Embedding) Split(row []float32, categories []int32) ([]float32, []int32) {
	n := len(row) - e.Columns
	for _, k := range row[n:] {
		categories = append(categories, int32(k))
	}
	return row[:n:n], categories
}

// Numbers returns the number of features that are not embedded.
func (p *Preprocessing) Numbers() int { return p.Features() - p.Embedding().Columns }

// Offset is the place of a column's features in a row, and the number of its first category
// if it is embedded.
type Offset struct{ At, First int }

// Offsets yields the offset of each column, in order.
func (p *Preprocessing) Offsets() iter.Seq2[int, Offset] {
	return func(yield func(int, Offset) bool) {
		at, tail, first := 0, p.Numbers(), 0
		for i := range p.Columns {
			o, c := Offset{At: at}, &p.Columns[i]
			if c.Embed > 0 {
				o = Offset{tail, first}
				tail, first = tail+1, first+c.Size()
			} else {
				at += c.Width()
			}
			if !yield(i, o) {
				return
			}
		}
	}
}

// checkEmbedding fails unless the embedded columns have vectors of one length and not too
// many categories.
func (p *Preprocessing) checkEmbedding() error {
	all := p.Embedding()
	for i := range p.Columns {
		switch c := &p.Columns[i]; {
		case c.Embed == 0:
		case c.Kind != Categorical:
			return fmt.Errorf("columns[%d]: embed %d of a column of kind %.40q: want %s: %w", i, c.Embed, string(c.Kind), Categorical, job.ErrInvalid)
		case c.Embed < 0 || c.Embed > job.MaxEmbed || c.Embed != all.Units:
			return fmt.Errorf("columns[%d]: embed %d: want 1 to %d, the same in all columns: %w", i, c.Embed, job.MaxEmbed, job.ErrInvalid)
		}
	}
	if p.Label.Embed != 0 {
		return fmt.Errorf("label: embed %d: want none: %w", p.Label.Embed, job.ErrInvalid)
	}
	if all.Rows > maxEmbedded || all.Columns > 0 && all.Rows == 0 {
		return fmt.Errorf("columns: %d categories to embed: want 1 to %d: %w", all.Rows, maxEmbedded, job.ErrInvalid)
	}
	return nil
}
