package predict

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/readable"
	"tributary/shared/registry"
)

// The names of output columns. A model with several outputs has a prediction_N for each,
// from 1 on. A classification has a probability_CLASS for each class.
const (
	rowColumn         = "row"
	predictionColumn  = "prediction"
	probabilityColumn = "probability_"
)

// outputColumns returns the names of the columns for the answers of a model. ids are the
// columns of the input that are passed on; without any, the first column is the row's
// number. It fails with job.ErrInvalid if two columns have the same name.
func outputColumns(m *registry.Model, ids []string) ([]string, error) {
	names := slices.Clone(ids)
	if len(ids) == 0 {
		names = append(names, rowColumn)
	}
	if n := m.Card.Outputs; len(m.Card.Classes) > 0 || n == 1 {
		names = append(names, predictionColumn)
	} else {
		for i := range n {
			names = append(names, fmt.Sprintf("%s_%d", predictionColumn, i+1))
		}
	}
	for _, class := range m.Card.Classes {
		names = append(names, probabilityColumn+class)
	}
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		if seen[name] && i < len(ids) {
			return nil, fmt.Errorf("--id: %.80q is given twice: %w", name, job.ErrInvalid)
		}
		if seen[name] {
			return nil, fmt.Errorf("--id: %.80q is the name of a column of the output: want a column of another name: %w", name, job.ErrInvalid)
		}
		seen[name] = true
	}
	return names, nil
}

// columns prints a row of columns for each answer, and notes beside them.
type columns struct {
	close func() error          // writes the rest
	write func(row []any) error // a row of cells: a dataset.Cell, or what JSON can hold
	row   []any
	n     int
	aside io.Writer
}

// newCSV returns a printer of CSV. It prints the header at once.
func newCSV(w, aside io.Writer, names []string) (*columns, error) {
	out := bufio.NewWriter(w)
	c := &columns{close: out.Flush, aside: aside}
	lines, record := csv.NewWriter(out), make([]string, len(names))
	c.write = func(row []any) error {
		for i, v := range row {
			var err error
			if record[i], err = plain(v); err != nil {
				return err
			}
		}
		return writeRecord(lines, record)
	}
	return c, writeRecord(lines, names)
}

// writeRecord writes a record to the buffer below, which the printer flushes at the end.
func writeRecord(w *csv.Writer, record []string) error {
	if err := w.Write(record); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// newJSONLines returns a printer of a JSON object per line, with the columns' names.
func newJSONLines(w, aside io.Writer, names []string) (*columns, error) {
	out := bufio.NewWriter(w)
	c := &columns{close: out.Flush, aside: aside}
	keys := make([][]byte, len(names))
	for i, name := range names {
		key, err := readable.JSON(name)
		if err != nil {
			return nil, err
		}
		keys[i] = append(key, ':')
	}
	var line bytes.Buffer
	c.write = func(row []any) error {
		line.Reset()
		for i, v := range row {
			text, err := member(v)
			if err != nil {
				return err
			}
			line.WriteByte("{,"[min(i, 1)])
			line.Write(keys[i])
			line.Write(text)
		}
		line.WriteString("}\n")
		_, err := out.Write(line.Bytes())
		return err
	}
	return c, nil
}

// member returns the JSON of a cell.
func member(v any) ([]byte, error) {
	if cell, ok := v.(dataset.Cell); ok {
		if cell.JSON {
			return []byte(cell.Text), nil
		}
		v = cell.Text
	}
	return readable.JSON(v)
}

// plain returns the text of a cell for CSV. null is an empty cell.
func plain(v any) (string, error) {
	switch v := v.(type) {
	case dataset.Cell:
		if v.JSON && v.Text == "null" {
			return "", nil
		}
		return v.Text, nil
	case string:
		return v, nil
	case int:
		return strconv.Itoa(v), nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

func (c *columns) print(a registry.Answer) error {
	c.n++
	c.row = c.row[:0]
	for _, cell := range a.Cells {
		c.row = append(c.row, cell)
	}
	if len(a.Cells) == 0 {
		c.row = append(c.row, c.n)
	}
	if outputs, several := a.Prediction.([]any); several {
		c.row = append(c.row, outputs...)
	} else {
		c.row = append(c.row, a.Prediction)
	}
	for _, p := range a.Probabilities {
		c.row = append(c.row, p)
	}
	return c.write(c.row)
}

func (c *columns) end(notes []string, cause error) error {
	err := c.close() // the rows before a fault get their lines
	printNotes(c.aside, notes)
	if cause != nil {
		return cause
	}
	return err
}
