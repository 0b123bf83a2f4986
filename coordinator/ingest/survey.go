package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// A CSV source is read twice: a survey counts rows and tells columns of
// numbers from columns of text, then the cells are filled in. So a table takes
// no more memory than its numbers and codes.

// A column in which at least mostlyNumbers of the cells are numbers, in at
// least manyRows rows, is taken for numeric, and its text for a mistake.
const (
	mostlyNumbers = 0.99
	manyRows      = 20
)

// tally is what a survey found in a column.
type tally struct {
	name                       string
	numbers, texts, nonFinites int
	text, nonFinite            sighting // the first of each
}

// sighting is a cell's text and line.
type sighting struct {
	line int
	text string
}

func (t *tally) add(cell string, line func() int) {
	if dataset.MissingCell(cell) {
		return
	}
	switch _, kind := dataset.ParseNumber(cell); kind {
	case dataset.Finite:
		t.numbers++
	case dataset.NonFinite:
		if t.nonFinites++; t.nonFinites == 1 {
			t.nonFinite = sighting{line(), fmt.Sprintf("%.80q", cell)}
		}
	default:
		if t.texts++; t.texts == 1 {
			t.text = sighting{line(), fmt.Sprintf("%.80q", cell)}
		}
	}
}

// kind decides what the column is, or what is wrong with it.
func (t *tally) kind() (dataset.ColumnKind, error) {
	total := t.numbers + t.texts + t.nonFinites
	switch {
	case total == 0:
		return "", fmt.Errorf("column %q: every cell is missing: leave it out with data.drop: %w", t.name, job.ErrInvalid)
	case t.texts == 0 && t.nonFinites > 0:
		return "", notFinite(t.name, t.nonFinite)
	case t.texts == 0:
		return dataset.Numeric, nil
	case total >= manyRows && float64(t.numbers) >= mostlyNumbers*float64(total):
		return "", textInNumbers(t.name, t.text)
	default:
		return dataset.Categorical, nil
	}
}

func notFinite(column string, s sighting) error {
	return fmt.Errorf("line %d: column %q: %s is not a finite number: correct it, or leave the cell empty (a missing value): %w",
		s.line, column, s.text, job.ErrInvalid)
}

func textInNumbers(column string, s sighting) error {
	return fmt.Errorf("line %d: column %q: text %s in a numeric column: correct it, leave the cell empty (a missing value), or leave the column out with data.drop: %w",
		s.line, column, s.text, job.ErrInvalid)
}

// survey reads a CSV source once and tallies its columns, in the header's order.
func survey(ctx context.Context, content *tabular.Source) (rows int, tallies []tally, err error) {
	file, err := tabular.OpenCSV(content)
	if err != nil {
		return 0, nil, err
	}
	tallies = make([]tally, len(file.Header))
	for i, name := range file.Header {
		tallies[i].name = name
	}
	var p pace
	for {
		record, err := file.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, nil, err
		}
		if rows++; rows > maxRows {
			return 0, nil, fmt.Errorf("over %d rows: want at most so many: %w", maxRows, job.ErrInvalid)
		}
		for i, cell := range record {
			if err := p.look(ctx, 1); err != nil {
				return 0, nil, err
			}
			tallies[i].add(cell, func() int { return file.Line(i) })
		}
	}
	if rows == 0 {
		return 0, nil, fmt.Errorf("no rows after the header: %w", job.ErrInvalid)
	}
	return rows, tallies, nil
}
