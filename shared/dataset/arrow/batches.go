package arrow

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"tributary/shared/job"
)

// fileBatches are the batches that the footer of a file lists.
type fileBatches struct {
	file  *ipc.FileReader
	batch arrow.RecordBatch
	read  int
}

func (f *fileBatches) next() (arrow.RecordBatch, error) {
	f.release()
	if f.read == f.file.NumRecords() {
		return nil, io.EOF
	}
	batch, err := f.file.RecordBatchAt(f.read)
	if err != nil {
		return nil, unexpected(err)
	}
	f.batch = batch
	f.read++
	return batch, nil
}

func (f *fileBatches) release() {
	if f.batch != nil {
		f.batch.Release()
		f.batch = nil
	}
}

func (f *fileBatches) close() {
	f.release()
	_ = f.file.Close() // only read
}

// streamBatches are the batches of a stream that checkStream has checked.
type streamBatches struct{ reader *ipc.Reader }

func (s *streamBatches) next() (arrow.RecordBatch, error) {
	if s.reader.Next() {
		return s.reader.RecordBatch(), nil
	}
	if err := s.reader.Err(); err != nil {
		return nil, unexpected(err)
	}
	return nil, io.EOF
}

func (s *streamBatches) close() { s.reader.Release() }

// unexpected is the error of a batch that is announced: an end of the file is a fault.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it ends within a batch (%s)", io.ErrUnexpectedEOF, err.Error())
	}
	return err
}

// errLarge is what limited panics with.
var errLarge = fmt.Errorf("a batch and its dictionaries take over %d bytes: want smaller batches: %w", maxMemory, job.ErrInvalid)

// limited is an allocator of at most maxMemory bytes at a time. More is a panic, as of any
// allocator; safely contains it.
type limited struct{ used int }

func (l *limited) take(size int) {
	if size < 0 || size > maxMemory || l.used+size > maxMemory {
		panic(errLarge)
	}
	l.used += size
}

// Allocate implements memory.Allocator.
func (l *limited) Allocate(size int) []byte {
	l.take(size)
	return make([]byte, size)
}

// Reallocate implements memory.Allocator.
func (l *limited) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		l.used += size - len(b)
		return b[:size]
	}
	l.take(size - len(b))
	grown := make([]byte, size)
	copy(grown, b)
	return grown
}

// Free implements memory.Allocator.
func (l *limited) Free(b []byte) { l.used -= len(b) }
