package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

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

// idx is an IDX file in memory: data holds len(data) / width rows.
type idx struct {
	kind  byte
	rows  int
	width int // values in a row: the product of all dimensions but the first
	dims  []int
	data  []byte
}

func (f *idx) size() int {
	if f.kind == idxFloat {
		return 4
	}
	return 1
}

// readIDXFile reads a whole file of at most limit bytes and at most maxDims
// dimensions.
func readIDXFile(r io.Reader, limit int64, maxDims int) (*idx, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("empty file: want IDX: %w", job.ErrInvalid)
	} else if err != nil {
		return nil, truncated("header", err)
	}
	if head[0] != 0 || head[1] != 0 {
		return nil, fmt.Errorf("begins with % x: want IDX, two zero bytes: %w", head[:2], job.ErrInvalid)
	}
	f := &idx{kind: head[2], width: 1}
	if f.kind != idxByte && f.kind != idxFloat {
		return nil, fmt.Errorf("IDX type %#02x: want %#02x (unsigned byte) or %#02x (float): %w", f.kind, idxByte, idxFloat, job.ErrInvalid)
	}
	if n := int(head[3]); n < 1 || n > maxDims {
		return nil, fmt.Errorf("IDX of %d dimensions: want 1 to %d: %w", n, maxDims, job.ErrInvalid)
	}
	total := int64(f.size())
	for i := range int(head[3]) {
		var d [4]byte
		if _, err := io.ReadFull(r, d[:]); err != nil {
			return nil, truncated("header", err)
		}
		n := int64(binary.BigEndian.Uint32(d[:]))
		if n == 0 {
			return nil, fmt.Errorf("IDX dimension %d is 0: want at least 1: %w", i, job.ErrInvalid)
		}
		if n > limit/total {
			return nil, fmt.Errorf("IDX dimensions announce over %d bytes: %w", limit, job.ErrInvalid)
		}
		total *= n
		f.dims = append(f.dims, int(n))
		if i > 0 {
			f.width *= int(n)
		}
	}
	f.rows = f.dims[0]
	if f.rows > maxRows {
		return nil, fmt.Errorf("%d rows: at most %d: %w", f.rows, maxRows, job.ErrInvalid)
	}
	data, err := readExactly(r, total)
	f.data = data
	return f, err
}

// readExactly reads the n bytes a header announced and the end of the file. It
// allocates as the bytes come, because the header may lie.
func readExactly(r io.Reader, n int64) ([]byte, error) {
	const trust = 64 << 20
	data := make([]byte, 0, min(n, trust))
	for int64(len(data)) < n {
		if len(data) == cap(data) {
			grown := make([]byte, len(data), min(n, 2*int64(len(data))))
			copy(grown, data)
			data = grown
		}
		room := data[len(data):min(int64(cap(data)), n)]
		m, err := io.ReadFull(r, room)
		data = data[:len(data)+m]
		if err != nil {
			return nil, truncated(fmt.Sprintf("%d of %d bytes of values", len(data), n), err)
		}
	}
	switch _, err := io.ReadFull(r, make([]byte, 1)); {
	case err == nil:
		return nil, fmt.Errorf("bytes after the last value its header announces: %w", job.ErrInvalid)
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return data, nil
}

// truncated explains the end of a file in the middle; other errors pass.
func truncated(where string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("truncated IDX: ends after %s: %w", where, job.ErrInvalid)
	}
	return err
}

// floats decodes the values of a float file and refuses NaN and infinities.
func (f *idx) floats() ([]float32, error) {
	out := make([]float32, len(f.data)/4)
	for i := range out {
		x := math.Float32frombits(binary.BigEndian.Uint32(f.data[4*i:]))
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("row %d, value %d: %v: want a finite number: %w", i/f.width+1, i%f.width+1, x, job.ErrInvalid)
		}
		out[i] = x
	}
	return out, nil
}

// readIDX reads a table from an IDX file of features [rows, …] and one of
// labels [rows], or [rows, outputs] for a loss on numbers.
func (in *Ingest) readIDX(ctx context.Context, spec *job.Spec, f files, like *table) (*table, error) {
	if f.labels == "" {
		return nil, fmt.Errorf("%s: want the source of the labels: %w", f.labelsField, job.ErrInvalid)
	}
	if len(spec.Data.Drop) > 0 {
		return nil, fmt.Errorf("data.drop: format idx has no column names: %w", job.ErrInvalid)
	}
	var t *table
	err := in.with(ctx, f.field, f.source, func(content *tabular.Source) (err error) {
		t, err = in.idxFeatures(content)
		if err == nil && like != nil && len(t.columns) != len(like.columns) {
			err = fmt.Errorf("%d values in a row, data.source has %d: %w", len(t.columns), len(like.columns), job.ErrInvalid)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = in.with(ctx, f.labelsField, f.labels, func(content *tabular.Source) error {
		return t.idxLabels(content, spec.Loss.Classifies(), in.limit(), like)
	})
	if err != nil {
		return nil, err
	}
	in.say("%s: read %d rows of %d columns", f.field, t.rows, len(t.columns))
	return t, nil
}

func (in *Ingest) idxFeatures(r io.Reader) (*table, error) {
	f, err := readIDXFile(r, in.limit(), 4)
	if err != nil {
		return nil, err
	}
	if f.width > maxColumns {
		return nil, fmt.Errorf("%d values in a row: at most %d: %w", f.width, maxColumns, job.ErrInvalid)
	}
	t := &table{rows: f.rows, columns: numbered(f.width)}
	if f.kind == idxByte {
		t.cells = &dense[uint8]{f.data, f.width}
		return t, nil
	}
	x, err := f.floats()
	t.cells = &dense[float32]{x, f.width}
	return t, err
}

// idxLabels reads the labels of a table's rows.
func (t *table) idxLabels(r io.Reader, classes bool, limit int64, like *table) error {
	maxDims := 2
	if classes {
		maxDims = 1
	}
	f, err := readIDXFile(r, limit, maxDims)
	if err != nil {
		return err
	}
	if f.rows != t.rows {
		return fmt.Errorf("%d labels for %d rows: %w", f.rows, t.rows, job.ErrInvalid)
	}
	t.label = label{name: "label", classes: classes, outputs: f.width, numeric: true}
	if like != nil {
		t.label = like.empty().label
		if t.label.outputs != f.width {
			return fmt.Errorf("%d outputs in a row, data.labels has %d: %w", f.width, t.label.outputs, job.ErrInvalid)
		}
	} else if classes {
		t.label.dict = newDictionary()
	}
	if f.kind == idxByte {
		return pushAll(&t.label, f.data)
	}
	y, err := f.floats()
	if err != nil {
		return err
	}
	return pushAll(&t.label, y)
}

func pushAll[T cell](l *label, values []T) error {
	for _, y := range values {
		if err := l.push(float64(y)); err != nil {
			return err
		}
	}
	return nil
}
