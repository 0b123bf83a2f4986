package tabular

import (
	"bytes"
	"fmt"
	"io"

	"tributary/shared/job"
)

// recordReader is a reader that fails when a single record has too many bytes or cells,
// before the CSV reader stores them. It finds the ends of cells and records by counting
// quotes, as RFC 4180 defines them.
type recordReader struct {
	in               io.Reader
	delimiter        byte
	bytes, delimited int  // of the record that is being read; delimiters outside of quotes
	quoted           bool // whether the last quote of the record is open
}

func (r *recordReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.count(p[:n])
	switch {
	case r.bytes > maxRecord:
		return 0, fmt.Errorf("a record of over %d bytes (a quote never closed?): %w", maxRecord, job.ErrInvalid)
	case r.delimited >= MaxColumns:
		return 0, fmt.Errorf("a record of over %d cells: want at most as many columns: %w", MaxColumns, job.ErrInvalid)
	}
	return n, err
}

// count updates the bytes and delimiters of the current record.
func (r *recordReader) count(p []byte) {
	for len(p) > 0 {
		part, rest := p, []byte(nil)
		if i := bytes.IndexByte(p, '"'); i >= 0 {
			part, rest = p[:i+1], p[i+1:]
		}
		if !r.quoted {
			unquoted := part
			if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
				r.bytes, r.delimited = 0, 0
				unquoted = part[i+1:]
			}
			r.delimited += bytes.Count(unquoted, []byte{r.delimiter})
			r.bytes += len(unquoted)
		} else {
			r.bytes += len(part)
		}
		if part[len(part)-1] == '"' {
			r.quoted = !r.quoted
		}
		p = rest
	}
}
