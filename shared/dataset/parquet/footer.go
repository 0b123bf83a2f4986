package parquet

import (
	"encoding/binary"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"

	"tributary/shared/job"
)

// maxFooter limits the bytes of a footer.
const maxFooter = 64 << 20

// open checks the footer and then lets the library read it.
func open(r io.ReaderAt, size int64) (*pq.File, error) {
	const tail = 8 // the footer's length and "PAR1"
	var end [tail]byte
	if size < 2*tail {
		return nil, fmt.Errorf("%d bytes: want a Parquet file: %w", size, job.ErrInvalid)
	}
	if _, err := r.ReadAt(end[:], size-tail); err != nil {
		return nil, err
	}
	switch magic := string(end[4:]); magic {
	case "PAR1":
	case "PARE":
		return nil, fmt.Errorf("the file is encrypted: want a plain Parquet file: %w", job.ErrInvalid)
	default:
		return nil, fmt.Errorf("it ends with %q: want a Parquet file, which ends with PAR1 (is it truncated?): %w", magic, job.ErrInvalid)
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if n > size-tail-4 || n > maxFooter {
		return nil, fmt.Errorf("a footer of %d bytes in a file of %d: want at most %d: %w", n, size, maxFooter, job.ErrInvalid)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-tail-n); err != nil {
		return nil, err
	}
	if err := (&compact{data: footer}).structure(1, 0); err != nil {
		return nil, fmt.Errorf("damaged footer: %w: %w", err, job.ErrInvalid)
	}
	f, err := pq.OpenFile(r, size, pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	var rows int64
	for _, g := range f.RowGroups() {
		if g.NumRows() < 0 {
			return nil, fmt.Errorf("a row group of %d rows: %w", g.NumRows(), job.ErrInvalid)
		}
		rows += g.NumRows()
	}
	if rows != f.NumRows() {
		return nil, fmt.Errorf("the footer announces %d rows, its row groups have %d: the file is damaged: %w", f.NumRows(), rows, job.ErrInvalid)
	}
	return f, nil
}
