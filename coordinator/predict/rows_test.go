package predict

import (
	"io"
	"strings"

	"tributary/coordinator/ingest"
)

// from reads rows from a text as standard input.
func from(text string) *ingest.Ingest { return reader(strings.NewReader(text)) }

// reader reads rows from r as standard input.
func reader(r io.Reader) *ingest.Ingest {
	in := newReader()
	in.Sources.(*files).stdin = r
	return in
}
