package dataset

import (
	"fmt"

	"tributary/shared/job"
)

// blockBytes is the size, in bytes, that BlockRows aims at for a block.
const blockBytes = 1 << 20

// layout says where the fields of a schema are in a block. A block is a list of sections,
// one after the other.
type layout struct {
	sections []section
	views    []view // one per field
}

// section is one array: a sequence, or the samples of a field without a window, one after
// the other. Row i is its bytes i·stride … i·stride+span−1.
type section struct {
	sequence     string // "" without a window
	word         int    // bytes of an element
	span, stride int64  // bytes
}

// view is the part of a row that belongs to a field: the bytes offset … offset+length−1 of
// the row's span.
type view struct {
	section        int
	offset, length int64 // bytes
}

// layout returns the layout of the schema, in the order of its fields. A sequence is at the
// place of its first field.
func (s Schema) layout() layout {
	l := layout{views: make([]view, len(s))}
	for i := range s {
		f := &s[i]
		word := f.DType.size()
		v := view{section: len(l.sections), length: int64(word) * int64(f.Elements())}
		next := section{word: word, span: v.length, stride: v.length}
		if w := f.Window; w.Of != "" {
			step := v.length / int64(f.Shape[0])
			v.offset = int64(w.Offset) * step
			next = section{w.Of, word, v.offset + v.length, int64(w.Stride) * step}
			for k := range l.sections {
				if l.sections[k].sequence == w.Of {
					v.section = k
				}
			}
		}
		if v.section == len(l.sections) {
			l.sections = append(l.sections, next)
		} else {
			shared := &l.sections[v.section]
			shared.span = max(shared.span, next.span)
		}
		l.views[i] = v
	}
	return l
}

// check fails if a row is too long. If it does not fail, no size of a block overflows.
func (l layout) check() error {
	n := int64(0)
	for _, c := range l.sections {
		n += max(c.span, c.stride)
	}
	if n > maxRowBytes {
		return fmt.Errorf("a row takes %d bytes: want at most %d", n, maxRowBytes)
	}
	return nil
}

// bytes returns the size of the section in a block with the given number of rows.
func (c section) bytes(rows int) int64 { return int64(rows-1)*c.stride + c.span }

// BlockRows returns how many rows a block of about 1 MiB holds, at least one. It fails with
// job.ErrInvalid if the schema is invalid.
func (s Schema) BlockRows() (int, error) {
	if err := s.check(); err != nil {
		return 0, fmt.Errorf("%w: %w", err, job.ErrInvalid)
	}
	l := s.layout()
	first, next := int64(0), int64(0) // bytes of the first row, and bytes that each further row adds
	for _, c := range l.sections {
		first, next = first+c.span, next+c.stride
	}
	return int(max(1, 1+(blockBytes-first)/next)), nil
}

// Windows returns how many rows a sequence of the given number of steps has, and how many
// steps at its end are in no row. If a sequence is split into blocks, no row between them
// is lost. Each block begins at the first step of its first row, and stores again the steps
// that its windows share with the block before.
func (s Schema) Windows(sequence string, steps int) (rows, dropped int) {
	span, stride := 0, 1 // steps
	for i := range s {
		if w := s[i].Window; w.Of != "" && w.Of == sequence {
			span, stride = max(span, w.Offset+s[i].Shape[0]), w.Stride
		}
	}
	if span == 0 || steps < span {
		return 0, steps
	}
	rows = 1 + (steps-span)/stride
	return rows, steps - span - (rows-1)*stride
}
