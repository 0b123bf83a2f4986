package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// keyColumn is a column by which the rows of a source are split: a group or a time.
type keyColumn struct {
	field, name string // field is that of the spec, like data.split.group
	group       bool
	seed        uint64       // of the hash of a group
	form        dataset.Form // of times that are numbers
	layout      string       // of times that are dates; "" for numbers

	cells *cells // [rows]: hashes of groups, or times; NaN if missing
	line  []byte // buffer of push
}

// keyOf returns the column by which the spec splits the rows of a surveyed source; nil if
// there is none.
func keyOf(spec *job.Spec, s *survey) (*keyColumn, error) {
	split := &spec.Data.Split
	switch {
	case split.Group != "":
		return &keyColumn{field: "data.split.group", name: split.Group, group: true, seed: spec.Seed}, nil
	case split.Time == "":
		return nil, nil //nolint:nilnil // no key is no fault
	}
	k := &keyColumn{field: "data.split.time", name: split.Time}
	i := slices.IndexFunc(s.tallies, func(t tally) bool { return t.name == split.Time })
	if i < 0 {
		return nil, fmt.Errorf("%s: no column %.80q: %w", k.field, k.name, job.ErrInvalid)
	}
	return k, k.decide(&s.tallies[i], s.when)
}

// decide finds how the times are written: as numbers, or as dates, which when has counted if
// data.columns does not say what the column is.
func (k *keyColumn) decide(y, when *tally) error {
	total := y.numbers + y.texts + y.nonFinites
	switch {
	case total == 0:
		return fmt.Errorf("%s: column %q: every cell is missing: %w", k.field, k.name, job.ErrInvalid)
	case y.given != nil && y.given.Type == job.DateColumn:
		_, err := y.parts()
		if err == nil {
			k.layout = y.dates.layouts[0]
		}
		return err
	case y.given != nil && y.given.Type == job.NumberColumn:
		var err error
		k.form, err = y.mustNumber()
		return err
	case y.given != nil:
		return fmt.Errorf("%s: column %q: data.columns says %s: want number or date: %w", k.field, k.name, y.given.Type, job.ErrInvalid)
	}
	if y.integers == total {
		return nil
	}
	if form, ok := y.decide(y.texts-y.naTexts, y.nonFinites-y.naNonFinites); ok {
		k.form = form
		k.form.NA = true
		return nil
	}
	switch {
	case when == nil || when.strange > 0 || len(when.dates.layouts) == 0:
		cell := preferred(y.stranger, preferred(y.text, y.nonFinite))
		return fmt.Errorf("%s: %s: column %q: %s: want a column of numbers or of dates that are all written alike (data.columns.%s can give their format): %w",
			k.field, cell.at, k.name, cell.text, k.name, job.ErrInvalid)
	case ambiguous(when.dates.layouts):
		return fmt.Errorf("%s: column %q: its dates can be read with the day or the month first: say which with data.columns: {%s: {type: date, format: \"%%d/%%m/%%Y\", parts: [year]}}: %w",
			k.field, k.name, k.name, job.ErrInvalid)
	}
	k.layout, k.form.NA = when.dates.layouts[0], true
	return nil
}

// surveyOfTimes returns a tally that counts the cells of the column of times as dates; nil for
// any other column, and if data.columns says what the column is.
func surveyOfTimes(d *job.Data, name string) *tally {
	if _, given := d.Columns[name]; given || name != d.Split.Time {
		return nil
	}
	t := &tally{name: name, options: d.CSV, given: &job.ColumnSpec{Type: job.DateColumn}}
	t.start()
	return t
}

// describe names the column among those of the source that are no features, if it is none.
func (k *keyColumn) describe(spec *job.Spec, p *dataset.Preprocessing) {
	if k == nil {
		return
	}
	if _, feature := spec.Data.Columns[k.name]; !feature {
		p.Others = append(p.Others, k.name)
	}
}

// begin reserves the space for the keys of that many rows.
func (k *keyColumn) begin(s *space, rows int) error {
	if k == nil {
		return nil
	}
	data, err := s.scratch(int64(rows) * int64(floats64))
	k.cells = &cells{kind: floats64, width: 1, data: data}
	return err
}

// push appends the key of a row.
func (k *keyColumn) push(cell string, options *job.CSVOptions) error {
	x := missing
	switch {
	case dataset.IsMissing(cell, options) || !k.group && k.form.Missing(cell):
	case k.group:
		x = hashed(k.seed, canonical(cell))
	case k.layout != "":
		t, ok := dataset.ParseDate(cell, k.layout)
		if !ok {
			return fmt.Errorf("%s: column %q: %.80q is not a date like those before it: %w", k.field, k.name, cell, job.ErrInvalid)
		}
		x = float64(t.UnixMicro())
	default:
		var kind dataset.NumberKind
		if x, kind = k.form.Number(cell); kind != dataset.Finite {
			return fmt.Errorf("%s: column %q: %.80q: want a number: %w", k.field, k.name, cell, job.ErrInvalid)
		}
	}
	k.line = appendCell(k.line[:0], x)
	_, err := k.cells.data.Write(k.line)
	return err
}

// done ends the writing of the keys.
func (k *keyColumn) done() error {
	if k == nil {
		return nil
	}
	return k.cells.data.done()
}

// canonical returns the text of a group. Two ways to write a number are the same group, so
// that no group is on both sides.
func canonical(cell string) string {
	if x, kind := dataset.ParseNumber(cell); kind == dataset.Finite && !dataset.IsIdentifier(cell) {
		return dataset.FormatNumber(x)
	}
	return cell
}

// hashed returns a number of 53 bits, which follows from the seed and the text alone. Two
// texts with the same hash would be one group, which does no harm.
func hashed(seed uint64, text string) float64 {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), text...))
	return float64(binary.LittleEndian.Uint64(sum[:]) >> 11)
}

// of returns the keys of rows. All rows without a group are one group. A row without a time
// is refused.
func (k *keyColumn) of(ctx context.Context, rows []int32) ([]float64, error) {
	keys, absent := make([]float64, len(rows)), -1
	err := k.cells.each(ctx, these(rows), func(i int, x []float64) {
		keys[i] = x[0]
		if !isMissing(x[0]) {
			return
		}
		keys[i] = -1 // no hash
		if absent < 0 {
			absent = i
		}
	})
	if err == nil && absent >= 0 && !k.group {
		err = fmt.Errorf("row %d: %s: column %q is missing: want a time in each row: %w", rows[absent]+1, k.field, k.name, job.ErrInvalid)
	}
	return keys, err
}
