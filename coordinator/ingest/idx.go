package ingest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// readIDXFile reads a file of at most limit bytes and at most maxDims dimensions. The
// first dimension is the rows; the width is the product of the other dimensions.
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

// idxHead reads a header and returns cells without data.
func idxHead(r io.Reader, limit int64, maxDims int) (rows int, c *cells, err error) {
	head, err := tabular.ReadIDXHeader(r, limit, maxDims)
	if err != nil {
		return 0, nil, err
	}
	if head.Rows > maxRows {
		return 0, nil, fmt.Errorf("%d rows: at most %d: %w", head.Rows, maxRows, job.ErrInvalid)
	}
	c = &cells{kind: bytes8, width: head.Width}
	if head.Float {
		c.kind = floats32
	}
	return head.Rows, c, nil
}

// readExactly reads the n bytes that the header announced and then requires the end of
// the file. It refuses NaN and infinities.
func (c *cells) readExactly(r io.Reader, n int64) error {
	buffer := make([]byte, min(n, 64<<10))
	for at := int64(0); at < n; at += int64(len(buffer)) {
		buffer = buffer[:min(int64(len(buffer)), n-at)]
		if m, err := io.ReadFull(r, buffer); err != nil {
			return tabular.TruncatedIDX(fmt.Sprintf("%d of %d bytes of values", at+int64(m), n), err)
		}
		if err := c.finite(buffer, at); err != nil {
			return err
		}
		if _, err := c.data.Write(buffer); err != nil {
			return err
		}
	}
	if err := tabular.EndIDX(r); err != nil {
		return err
	}
	return c.data.done()
}

// finite refuses NaN and infinities among the floats that start at offset at.
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
	t.sources = []string{f.source}
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
	return w.labels(ctx, t, c, rows, classes, like)
}

// labels makes cells [rows, outputs] the labels of a table's rows.
func (w *work) labels(ctx context.Context, t *table, c *cells, rows int, classes bool, like *table) error {
	if rows != t.rows {
		return fmt.Errorf("%d labels for %d rows: %w", rows, t.rows, job.ErrInvalid)
	}
	if !classes {
		t.label = label{name: "label", outputs: c.width, numeric: true}
	} else {
		t.label = label{name: "label", classes: true, outputs: 1, numeric: true, dict: newDictionary(w.texts)}
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
		if err := p.check(ctx, 1); err != nil {
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
