package ingest

import (
	"archive/zip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"tributary/shared/access"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// readNumPy reads a table from a NumPy array of features [rows, …] and one of labels
// [rows], or [rows, outputs] for a loss on numbers. Each is a .npy file, or an array of an
// .npz archive.
func (w *work) readNumPy(ctx context.Context, spec *job.Spec, f files, like *table) (*table, error) {
	if f.labels == "" {
		return nil, fmt.Errorf("%s: want the source of the labels: %w", f.labelsField, job.ErrInvalid)
	}
	x, y := arrays(spec.Data.Arrays, f.field)
	rows, c, err := w.array(ctx, f.field, f.source, x, 4)
	if err != nil {
		return nil, err
	}
	named := func(field, source string, err error) error {
		return fmt.Errorf("%s %q: %w", field, access.Show(source), err)
	}
	t := &table{rows: rows, columns: numbered(c.width), cells: c}
	if like != nil && len(t.columns) != len(like.columns) {
		return nil, named(f.field, f.source, fmt.Errorf("%d values in a row, data.source has %d: %w", len(t.columns), len(like.columns), job.ErrInvalid))
	}
	count, labels, err := w.array(ctx, f.labelsField, f.labels, y, 2)
	if err != nil {
		return nil, err
	}
	if spec.Loss.Classifies() && labels.width != 1 {
		return nil, named(f.labelsField, f.labels, fmt.Errorf("%d values in a row: the label of classes has one: %w", labels.width, job.ErrInvalid))
	}
	if err := w.labels(ctx, t, labels, count, spec.Loss.Classifies(), like); err != nil {
		return nil, named(f.labelsField, f.labels, err)
	}
	w.say("%s: read %d rows of %d columns", f.field, t.rows, len(t.columns))
	return t, nil
}

// arrays returns the names of the features and of the labels in an archive, the preferred
// one first.
func arrays(a *job.Arrays, field string) (x, y []string) {
	if a == nil {
		a = &job.Arrays{}
	}
	names := func(given string, usual ...string) []string {
		if given != "" {
			return []string{given}
		}
		return usual
	}
	switch field {
	case "data.test":
		return names(a.TestX, "x_test", "x"), names(a.TestY, "y_test", "y")
	case "data.validation":
		return names(a.ValidationX, "x_val", "x"), names(a.ValidationY, "y_val", "y")
	default:
		return names(a.X, "x_train", "x"), names(a.Y, "y_train", "y")
	}
}

// array reads an array.
func (w *work) array(ctx context.Context, field, source string, names []string, maxDims int) (rows int, c *cells, err error) {
	f, err := w.Sources.Open(ctx, source)
	if err == nil {
		defer f.Close()
		rows, c, err = w.arrayOf(ctx, f, names, maxDims)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("%s %q: %w", field, access.Show(source), err)
	}
	return rows, c, nil
}

// arrayOf reads an array of a file, which is copied to a scratch, because its values may be
// in an order that is not that of the rows.
func (w *work) arrayOf(ctx context.Context, file io.Reader, names []string, maxDims int) (rows int, c *cells, err error) {
	packed, err := w.space.copy(&limited{in: &watched{ctx, file}, left: w.limit()}, w.limit())
	if err != nil {
		return 0, nil, err
	}
	whole := io.NewSectionReader(packed, 0, packed.size())
	var head [2]byte
	if _, err := whole.ReadAt(head[:], 0); err == nil && string(head[:]) == "PK" {
		return w.member(ctx, packed, names, maxDims)
	}
	content, err := tabular.Open(ctx, whole, w.limit())
	if err != nil {
		return 0, nil, err
	}
	defer content.Close()
	data, err := w.space.copy(content, w.limit())
	if err != nil {
		return 0, nil, err
	}
	return w.npy(ctx, data, maxDims)
}

// limited fails after a number of bytes.
type limited struct {
	in     io.Reader
	left   int64
	broken bool // the reading failed
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	l.broken = err != nil && !errors.Is(err, io.EOF)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("over the limit of the bytes of a source: %w", job.ErrInvalid)
	}
	return n, err
}

// maxMembers limits the arrays of an archive.
const maxMembers = 10_000

// member reads the array of an archive with the first of the names that is there, or the
// only array.
func (w *work) member(ctx context.Context, packed *scratch, names []string, maxDims int) (rows int, c *cells, err error) {
	archive, err := zip.NewReader(packed, packed.size())
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", err, job.ErrInvalid)
	}
	if len(archive.File) > maxMembers {
		return 0, nil, fmt.Errorf("an archive of %d files: want at most %d: %w", len(archive.File), maxMembers, job.ErrInvalid)
	}
	var there []string
	byName := map[string]*zip.File{}
	for _, f := range archive.File {
		if name, ok := strings.CutSuffix(f.Name, ".npy"); ok {
			there, byName[name] = append(there, name), f
		}
	}
	at := slices.IndexFunc(names, func(name string) bool { return byName[name] != nil })
	if at < 0 {
		return 0, nil, fmt.Errorf("no array %q in the archive, which has %.300q: name it in data.arrays: %w", names, there, job.ErrInvalid)
	}
	f, err := byName[names[at]].Open()
	if err != nil {
		return 0, nil, fmt.Errorf("array %q: %w: %w", names[at], err, job.ErrInvalid)
	}
	defer f.Close()
	unpacking := &limited{in: &watched{ctx, f}, left: w.limit()}
	data, err := w.space.copy(unpacking, w.limit())
	if err == nil {
		rows, c, err = w.npy(ctx, data, maxDims)
	}
	switch {
	case err != nil && ctx.Err() == nil && unpacking.broken:
		return 0, nil, fmt.Errorf("array %q: damaged: %w: %w", names[at], err, job.ErrInvalid)
	case err != nil:
		return 0, nil, fmt.Errorf("array %q: %w", names[at], err)
	}
	return rows, c, nil
}

// npy converts an array to cells.
func (w *work) npy(ctx context.Context, data *scratch, maxDims int) (int, *cells, error) {
	h, err := tabular.ReadNPYHeader(io.NewSectionReader(data, 0, data.size()), w.limit(), maxDims)
	if err != nil {
		return 0, nil, err
	}
	if there, want := data.size()-h.Offset, h.Length(); there != want {
		return 0, nil, fmt.Errorf("%d bytes of values, its header announces %d: the file is truncated or damaged: %w", there, want, job.ErrInvalid)
	}
	rows, width := h.Shape[0], h.Width()
	c := &cells{kind: floats64, width: width}
	switch {
	case h.Bytes():
		c.kind = bytes8
	case h.Short():
		c.kind = floats32
	}
	if err := fits(rows, width, int(c.kind), w.limit()); err != nil {
		return 0, nil, err
	}
	if c.data, err = w.space.scratch(int64(rows) * int64(c.size())); err != nil {
		return 0, nil, err
	}
	const portion = 4 << 20
	step := max(1, portion/(width*h.Size()))
	raw, out := make([]byte, min(step, rows)*width*h.Size()), []byte(nil)
	var p pace
	for from := 0; from < rows; from += step {
		n := min(step, rows-from)
		if err := npyRows(h, data, raw, from, n); err != nil {
			return 0, nil, err
		}
		out = out[:0]
		for i := range n * width {
			if err := p.check(ctx, 1); err != nil {
				return 0, nil, err
			}
			x, err := h.Value(raw[i*h.Size():])
			if err != nil {
				return 0, nil, fmt.Errorf("row %d, value %d: %w", from+i/width+1, i%width+1, err)
			}
			out = c.append(out, x)
		}
		if _, err := c.data.Write(out); err != nil {
			return 0, nil, err
		}
	}
	return rows, c, c.data.done()
}

// npyRows reads n rows from a row on into raw, in C order.
func npyRows(h *tabular.NPY, data io.ReaderAt, raw []byte, from, n int) error {
	width, size := h.Width(), h.Size()
	if !h.Fortran || width == 1 {
		_, err := data.ReadAt(raw[:n*width*size], h.Offset+int64(from)*int64(width*size))
		return unlessEOF(err)
	}
	column := make([]byte, n*size)
	for j := range width {
		at := int64(h.Column(j))*int64(h.Shape[0]) + int64(from)
		if _, err := data.ReadAt(column, h.Offset+at*int64(size)); unlessEOF(err) != nil {
			return err
		}
		for i := range n {
			copy(raw[(i*width+j)*size:][:size], column[i*size:])
		}
	}
	return nil
}

// unlessEOF drops the io.EOF that a full read at the end of a file may give.
func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// append appends a value in the storage format of the cells.
func (c *cells) append(dst []byte, x float64) []byte {
	switch c.kind {
	case bytes8:
		return append(dst, byte(x))
	case floats32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(x)))
	default:
		return appendCell(dst, x)
	}
}
