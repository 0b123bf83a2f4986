package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// The IDX format (LeCun, Cortes, Burges: "The MNIST database"): two zero
// bytes, a type, the number of dimensions, each dimension as a big-endian
// uint32, then the values, big-endian, the last dimension varying fastest.
const (
	idxByte  = 0x08 // unsigned byte
	idxFloat = 0x0D // float32
)

// readIDXFile reads a file of at most limit bytes and at most maxDims dimensions:
// rows, and in each the product of all dimensions but the first.
func (s *space) readIDXFile(r io.Reader, limit int64, maxDims int) (rows int, c *cells, err error) {
	rows, c, err = idxHead(r, limit, maxDims)
	if err != nil {
		return 0, nil, err
	}
	bytes := int64(rows) * int64(c.size())
	if c.data, err = s.scratch(bytes); err != nil {
		return 0, nil, err
	}
	return rows, c, c.readExactly(r, bytes)
}

// idxHead reads a header: cells without data.
func idxHead(r io.Reader, limit int64, maxDims int) (rows int, c *cells, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
		return 0, nil, fmt.Errorf("empty file: want IDX: %w", job.ErrInvalid)
	} else if err != nil {
		return 0, nil, truncated("header", err)
	}
	if head[0] != 0 || head[1] != 0 {
		return 0, nil, fmt.Errorf("begins with % x: want IDX, two zero bytes: %w", head[:2], job.ErrInvalid)
	}
	c = &cells{kind: bytes8, width: 1}
	switch head[2] {
	case idxByte:
	case idxFloat:
		c.kind = floats32
	default:
		return 0, nil, fmt.Errorf("IDX type %#02x: want %#02x (unsigned byte) or %#02x (float): %w", head[2], idxByte, idxFloat, job.ErrInvalid)
	}
	if n := int(head[3]); n < 1 || n > maxDims {
		return 0, nil, fmt.Errorf("IDX of %d dimensions: want 1 to %d: %w", n, maxDims, job.ErrInvalid)
	}
	total := int64(c.kind)
	for i := range int(head[3]) {
		var d [4]byte
		if _, err := io.ReadFull(r, d[:]); err != nil {
			return 0, nil, truncated("header", err)
		}
		n := int64(binary.BigEndian.Uint32(d[:]))
		if n == 0 {
			return 0, nil, fmt.Errorf("IDX dimension %d is 0: want at least 1: %w", i, job.ErrInvalid)
		}
		if n > limit/total {
			return 0, nil, fmt.Errorf("IDX dimensions announce over %d bytes: %w", limit, job.ErrInvalid)
		}
		total *= n
		if i == 0 {
			rows = int(n)
		} else {
			c.width *= int(n)
		}
	}
	switch {
	case rows > maxRows:
		return 0, nil, fmt.Errorf("%d rows: at most %d: %w", rows, maxRows, job.ErrInvalid)
	case c.width > dataset.MaxColumns:
		return 0, nil, fmt.Errorf("%d values in a row: at most %d: %w", c.width, dataset.MaxColumns, job.ErrInvalid)
	}
	return rows, c, nil
}

// readExactly reads the n bytes a header announced and the end of the file, and
// refuses NaN and infinities.
func (c *cells) readExactly(r io.Reader, n int64) error {
	buffer := make([]byte, min(n, 64<<10))
	for at := int64(0); at < n; at += int64(len(buffer)) {
		buffer = buffer[:min(int64(len(buffer)), n-at)]
		if m, err := io.ReadFull(r, buffer); err != nil {
			return truncated(fmt.Sprintf("%d of %d bytes of values", at+int64(m), n), err)
		}
		if err := c.finite(buffer, at); err != nil {
			return err
		}
		if _, err := c.data.Write(buffer); err != nil {
			return err
		}
	}
	switch _, err := io.ReadFull(r, make([]byte, 1)); {
	case err == nil:
		return fmt.Errorf("bytes after the last value its header announces: %w", job.ErrInvalid)
	case !errors.Is(err, io.EOF):
		return err
	}
	return c.data.done()
}

// finite refuses NaN and infinities among the floats that begin at a byte.
func (c *cells) finite(raw []byte, at int64) error {
	if c.kind != floats32 {
		return nil
	}
	for i := 0; i < len(raw); i += 4 {
		x := float64(math.Float32frombits(binary.BigEndian.Uint32(raw[i:])))
		if math.IsNaN(x) || math.IsInf(x, 0) {
			value := int(at/4) + i/4
			return fmt.Errorf("row %d, value %d: %v: want a finite number: %w", value/c.width+1, value%c.width+1, x, job.ErrInvalid)
		}
	}
	return nil
}

// truncated explains the end of a file in the middle; other errors pass.
func truncated(where string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("truncated IDX: ends after %s: %w", where, job.ErrInvalid)
	}
	return err
}

// readIDX reads a table from an IDX file of features [rows, …] and one of
// labels [rows], or [rows, outputs] for a loss on numbers.
func (w *work) readIDX(ctx context.Context, spec *job.Spec, f files, like *table) (*table, error) {
	if f.labels == "" {
		return nil, fmt.Errorf("%s: want the source of the labels: %w", f.labelsField, job.ErrInvalid)
	}
	if len(spec.Data.Drop) > 0 {
		return nil, fmt.Errorf("data.drop: format idx has no column names: %w", job.ErrInvalid)
	}
	var t *table
	err := w.with(ctx, f.field, f.source, func(content *tabular.Source) (err error) {
		t, err = w.idxFeatures(content)
		if err == nil && like != nil && len(t.columns) != len(like.columns) {
			err = fmt.Errorf("%d values in a row, data.source has %d: %w", len(t.columns), len(like.columns), job.ErrInvalid)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = w.with(ctx, f.labelsField, f.labels, func(content *tabular.Source) error {
		return w.idxLabels(ctx, t, content, spec.Loss.Classifies(), like)
	})
	if err != nil {
		return nil, err
	}
	w.say("%s: read %d rows of %d columns", f.field, t.rows, len(t.columns))
	return t, nil
}

func (w *work) idxFeatures(r io.Reader) (*table, error) {
	rows, c, err := w.space.readIDXFile(r, w.limit(), 4)
	if err != nil {
		return nil, err
	}
	return &table{rows: rows, columns: numbered(c.width), cells: c}, nil
}

// idxLabels reads the labels of a table's rows.
func (w *work) idxLabels(ctx context.Context, t *table, r io.Reader, classes bool, like *table) error {
	maxDims := 2
	if classes {
		maxDims = 1
	}
	rows, c, err := w.space.readIDXFile(r, w.limit(), maxDims)
	if err != nil {
		return err
	}
	if rows != t.rows {
		return fmt.Errorf("%d labels for %d rows: %w", rows, t.rows, job.ErrInvalid)
	}
	if !classes {
		t.label = label{name: "label", outputs: c.width, numeric: true}
	} else {
		t.label = label{name: "label", classes: true, outputs: 1, numeric: true, dict: newDictionary(&w.texts)}
	}
	if like != nil {
		t.label = like.empty().label
		if t.label.outputs != c.width {
			return fmt.Errorf("%d outputs in a row, data.labels has %d: %w", c.width, t.label.outputs, job.ErrInvalid)
		}
	}
	if !classes {
		t.label.cells = c
		return nil
	}
	if err := t.label.begin(w.space, rows); err != nil {
		return err
	}
	u := c.cursor(all(rows))
	var p pace
	for range rows {
		if err := p.look(ctx, 1); err != nil {
			return err
		}
		y, err := u.row()
		if err != nil {
			return err
		}
		if err := t.label.push(y[0]); err != nil {
			return err
		}
	}
	return t.label.cells.data.done()
}
