// Package arrow reads the rows of Arrow IPC files and streams with flat columns, as the
// texts that a CSV file would have.
//
// It owns the types of Arrow and the limits on what a file may demand. It leaves the
// meaning of a cell to its callers. Ingest calls it for training.
//
// Invariant: for any bytes, reading gives all rows of all batches that the file announces,
// or an error that is job.ErrInvalid. Its buffers take at most maxMemory bytes.
package arrow

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
)

// The limits of a file. A batch is in memory as a whole.
const (
	maxMemory   = 512 << 20 // bytes of a batch and of all dictionaries, unpacked
	maxMetadata = 64 << 20  // bytes of the description of a batch, or of the footer
)

// File is an open Arrow file. It is not safe for concurrent use.
type File struct {
	Names []string
	Kinds []tabular.Kind // Nested for types without single values

	batches source
	batch   arrow.RecordBatch
	write   []func(i int) string // of the batch; nil if the column is not read
	left    []bool               // columns that are not read
	at      int                  // row of the batch
	row     int64
	cells   []string
}

// source gives the batches of a file, and io.EOF after the last one that it announces. A
// batch is valid until the next call.
type source interface {
	next() (arrow.RecordBatch, error)
	close()
}

// Open reads the schema of a file, or of a stream, of so many bytes. The caller closes the
// result.
func Open(r io.ReaderAt, size int64) (f *File, err error) {
	err = safely(func() error {
		var head [6]byte
		if _, err := r.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		options := []ipc.Option{ipc.WithAllocator(&limited{}), ipc.WithMetadataSizeLimit(maxMetadata), ipc.WithBodySizeLimit(maxMemory), ipc.WithEnsureNativeEndian(true)}
		in := io.NewSectionReader(r, 0, size)
		f = &File{}
		var schema *arrow.Schema
		if bytes.Equal(head[:], ipc.Magic) {
			if err := checkFile(r, size); err != nil {
				return fmt.Errorf("damaged Arrow file: is it truncated?: %w: %w", err, job.ErrInvalid)
			}
			file, err := ipc.NewFileReader(in, options...)
			if err != nil {
				return err
			}
			f.batches, schema = &fileBatches{file: file}, file.Schema()
		} else {
			if err := checkStream(r, size); err != nil {
				return err
			}
			reader, err := ipc.NewReader(in, options...)
			if err != nil {
				return fmt.Errorf("want an Arrow IPC file or stream: %w: %w", err, job.ErrInvalid)
			}
			f.batches, schema = &streamBatches{reader}, reader.Schema()
		}
		return f.columns(schema)
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// safely runs f and returns each of its faults, panics too, as job.ErrInvalid. io.EOF stays.
func safely(f func() error) error {
	err := lifecycle.Contain("read Arrow", f)
	switch panicked := (*lifecycle.PanicError)(nil); {
	case err == nil, errors.Is(err, job.ErrInvalid), errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case errors.As(err, &panicked) && panicked.Value == any(errLarge):
		return errLarge
	case errors.As(err, &panicked):
		return fmt.Errorf("damaged Arrow file: %v: %w", panicked.Value, job.ErrInvalid)
	default:
		return fmt.Errorf("damaged Arrow file: %w: %w", err, job.ErrInvalid)
	}
}

func (f *File) columns(schema *arrow.Schema) error {
	seen := map[string]bool{}
	for i, field := range schema.Fields() {
		if name := field.Name; name == "" || len(name) > tabular.MaxName || seen[name] {
			return fmt.Errorf("column %d: name %.80q of %d bytes: want each once, of 1 to %d bytes: %w", i+1, name, len(name), tabular.MaxName, job.ErrInvalid)
		}
		seen[field.Name] = true
		f.Names, f.Kinds = append(f.Names, field.Name), append(f.Kinds, kindOf(field.Type))
	}
	if len(f.Names) == 0 || len(f.Names) > tabular.MaxColumns {
		return fmt.Errorf("%d columns: want 1 to %d: %w", len(f.Names), tabular.MaxColumns, job.ErrInvalid)
	}
	f.cells, f.left, f.write = make([]string, len(f.Names)), make([]bool, len(f.Names)), make([]func(int) string, len(f.Names))
	return nil
}

// Leave omits a column: its cells stay empty.
func (f *File) Leave(i int) { f.left[i] = true }

// Line returns the number of the last row, from 1 on.
func (f *File) Line(int) int { return int(f.row) }

// Close gives the memory back.
func (f *File) Close() {
	if f != nil && f.batches != nil {
		f.batches.close()
	}
}

// Next returns the next row. The following call overwrites it. After the last row it
// returns io.EOF.
func (f *File) Next() ([]string, error) {
	if err := safely(f.next); err != nil {
		return nil, err
	}
	return f.cells, nil
}

func (f *File) next() error {
	for f.batch == nil || int64(f.at) == f.batch.NumRows() {
		if err := f.begin(); err != nil {
			return err
		}
	}
	f.row++
	for i, write := range f.write {
		if write != nil {
			f.cells[i] = write(f.at)
		}
	}
	f.at++
	return nil
}

// begin reads a batch.
func (f *File) begin() (err error) {
	f.batch, f.at = nil, 0
	batch, err := f.batches.next()
	if err != nil {
		return err
	}
	if int(batch.NumCols()) != len(f.Names) || batch.NumRows() < 0 {
		return fmt.Errorf("a batch of %d rows and %d columns: want %d columns: %w", batch.NumRows(), batch.NumCols(), len(f.Names), job.ErrInvalid)
	}
	for i := range f.Names {
		if f.write[i] = nil; f.left[i] || f.Kinds[i] == tabular.Nested {
			continue
		}
		column := batch.Column(i)
		if int64(column.Len()) != batch.NumRows() {
			return fmt.Errorf("column %.80q: %d values in a batch of %d rows: %w", f.Names[i], column.Len(), batch.NumRows(), job.ErrInvalid)
		}
		f.write[i] = textsOf(column)
	}
	f.batch = batch
	return nil
}
