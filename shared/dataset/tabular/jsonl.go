package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/shared/job"
)

// Kind is what the schema of a file says about a column.
type Kind uint8

// The kinds.
const (
	Any    Kind = iota // the cells show it
	Text               // texts, even if they look like numbers
	Nested             // lists or objects, which are no cells
)

// Keys are the columns of JSON lines: the keys of all objects, in the order in which they
// appear.
type Keys struct {
	Names []string
	Kinds []Kind // Nested where at least one value is a list or an object
	at    map[string]int
}

// Index returns the position of a key.
func (k *Keys) Index(name string) (int, bool) {
	i, ok := k.at[name]
	return i, ok
}

// JSONL reads JSON lines: objects, one after the other. A key that an object does not have
// is a missing value, like null.
type JSONL struct {
	d     *jsontext.Decoder
	in    *rowLimit
	keys  *Keys
	grow  bool // whether new keys become columns
	cells []string
	row   int
}

// rowLimit is a reader that fails when a row has too many bytes, before the decoder stores
// them.
type rowLimit struct {
	in    io.Reader
	bytes int // since the row began
}

func (l *rowLimit) Read(p []byte) (int, error) {
	if l.bytes > maxRecord {
		return 0, fmt.Errorf("a row of over %d bytes: want a shorter one: %w", maxRecord, job.ErrInvalid)
	}
	n, err := l.in.Read(p)
	l.bytes += n
	return n, err
}

// Read adds the keys of a file of JSON lines.
func (k *Keys) Read(s *Source) error {
	if k.at == nil {
		k.at = map[string]int{}
	}
	f := openJSONL(s, k)
	f.grow = true
	for {
		if _, err := f.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// OpenJSONL returns a reader of the rows. The cells of a row are in the order of the keys.
// A key that keys does not have is refused.
func OpenJSONL(s *Source, keys *Keys) *JSONL { return openJSONL(s, keys) }

func openJSONL(s *Source, keys *Keys) *JSONL {
	mark := []byte("\xef\xbb\xbf")
	if bytes.Equal(s.Peek(len(mark)), mark) {
		_, _ = io.ReadFull(s, mark)
	}
	in := &rowLimit{in: s}
	return &JSONL{d: jsontext.NewDecoder(in), in: in, keys: keys, cells: make([]string, len(keys.Names))}
}

// Line returns the number of the last row, from 1 on.
func (f *JSONL) Line(int) int { return f.row }

// Next returns the next row. The following call overwrites it. After the last row it
// returns io.EOF.
func (f *JSONL) Next() ([]string, error) {
	f.row++
	f.in.bytes = 0
	clear(f.cells)
	switch kind := f.d.PeekKind(); kind {
	case jsontext.KindBeginObject:
	case jsontext.KindInvalid:
		_, err := f.d.ReadToken()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, io.EOF
		}
		return nil, f.malformed(err)
	default:
		return nil, fmt.Errorf("row %d begins with %q: want an object like {\"column\": value} in each line: %w", f.row, string(byte(kind)), job.ErrInvalid)
	}
	if _, err := f.d.ReadToken(); err != nil {
		return nil, f.malformed(err)
	}
	for f.d.PeekKind() != jsontext.KindEndObject {
		if err := f.member(); err != nil {
			return nil, err
		}
	}
	if _, err := f.d.ReadToken(); err != nil {
		return nil, f.malformed(err)
	}
	return f.cells, nil
}

// member reads a key and its value.
func (f *JSONL) member() error {
	token, err := f.d.ReadToken()
	if err != nil {
		return f.malformed(err)
	}
	at, err := f.column(token.String())
	if err != nil {
		return err
	}
	switch f.d.PeekKind() {
	case jsontext.KindBeginArray, jsontext.KindBeginObject:
		f.keys.Kinds[at] = Nested
		if err := f.d.SkipValue(); err != nil {
			return f.malformed(err)
		}
		return nil
	default:
	}
	token, err = f.d.ReadToken()
	if err != nil {
		return f.malformed(err)
	}
	if f.cells[at] = ""; token.Kind() != jsontext.KindNull {
		f.cells[at] = token.String()
	}
	return nil
}

// column returns the index of a key.
func (f *JSONL) column(name string) (int, error) {
	at, ok := f.keys.at[name]
	switch {
	case ok:
		return at, nil
	case !f.grow:
		return 0, fmt.Errorf("row %d: key %.80q: the training source has no such column: %w", f.row, name, job.ErrInvalid)
	case len(f.keys.Names) == MaxColumns:
		return 0, fmt.Errorf("row %d: over %d different keys: want at most as many columns: %w", f.row, MaxColumns, job.ErrInvalid)
	case name == "" || len(name) > MaxName || !utf8.ValidString(name):
		return 0, fmt.Errorf("row %d: key %.80q of %d bytes: want a name of 1 to %d bytes: %w", f.row, name, len(name), MaxName, job.ErrInvalid)
	}
	at = len(f.keys.Names)
	f.keys.at[name] = at
	f.keys.Names = append(f.keys.Names, name)
	f.keys.Kinds = append(f.keys.Kinds, Any)
	f.cells = append(f.cells, "")
	return at, nil
}

// malformed wraps malformed JSON in job.ErrInvalid. An error of reading the source is
// returned unchanged.
func (f *JSONL) malformed(err error) error {
	syntax := (*jsontext.SyntacticError)(nil)
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("row %d: %w: %w", f.row, err, job.ErrInvalid)
	}
	return err
}
