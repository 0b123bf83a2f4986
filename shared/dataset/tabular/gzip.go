package tabular

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// errTrailing is the error for bytes after a gzip member that are neither another member
// nor zeros.
var errTrailing = errors.New("trailing data after the gzip: neither another gzip nor zero bytes")

// members unpacks the gzip members of a file, one after the other (RFC 1952, 2.2). Zero
// bytes after a member are padding, which tapes and block devices add. members ignores
// them, as gzip and Python do.
type members struct {
	in  *bufio.Reader
	zip *gzip.Reader
}

func openMembers(in *bufio.Reader) (*members, error) {
	zip, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	zip.Multistream(false)
	return &members{in, zip}, nil
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.zip.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := m.next(); err != nil || n > 0 {
			return n, err
		}
	}
}

// next opens the next member. It returns io.EOF if there is none.
func (m *members) next() error {
	padding, err := m.padding()
	if err != nil {
		return err
	}
	head, err := m.in.Peek(2)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case len(head) == 0:
		return io.EOF
	case !bytes.Equal(head, magicGzip) && !(len(head) == 1 && head[0] == 0x1f && !padding):
		return errTrailing
	}
	if err := m.zip.Reset(m.in); err != nil {
		if errors.Is(err, io.EOF) { // the file ends within the header of the member
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	m.zip.Multistream(false)
	return nil
}

// padding skips zero bytes, and reports whether there were any.
func (m *members) padding() (bool, error) {
	for some := false; ; some = true {
		b, err := m.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return some, nil
		}
		if err != nil {
			return some, err
		}
		if b != 0 {
			return some, m.in.UnreadByte()
		}
	}
}
