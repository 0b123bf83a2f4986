package arrow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	flatbuffers "github.com/google/flatbuffers/go"

	"tributary/shared/job"
)

// The library reserves memory for as many elements as a list of the metadata announces. So
// the lists are checked before it sees them: each must lie within the metadata. The
// numbers are those of Arrow's Message.fbs, Schema.fbs and File.fbs: field i of a table has
// the slot 4 + 2i.
const (
	slotVersion = 4 + 2*iota
	slotSecond
	slotThird
	slotFourth
	slotFifth
	slotSixth
	slotSeventh

	maxFields = 1 << 20 // of a schema, nested ones too
	maxNested = 64      // fields within each other
	blockSize = 24      // of Block: offset, length of the metadata, length of the body
)

var errMetadata = fmt.Errorf("damaged Arrow file: a list is longer than its metadata: %w", job.ErrInvalid)

// root returns the table of a flatbuffer. Faults are panics, which the callers contain.
func root(b []byte) flatbuffers.Table {
	return flatbuffers.Table{Bytes: b, Pos: flatbuffers.GetUOffsetT(b)}
}

// list returns where a list of a table begins, and its length.
func list(t flatbuffers.Table, slot flatbuffers.VOffsetT, element int) (at flatbuffers.UOffsetT, n int, err error) {
	o := flatbuffers.UOffsetT(t.Offset(slot))
	if o == 0 {
		return 0, 0, nil
	}
	at, n = t.Vector(o), t.VectorLen(o)
	if int64(n)*int64(element) > int64(len(t.Bytes))-int64(at) {
		return 0, 0, errMetadata
	}
	return at, n, nil
}

// below returns a table that a table refers to.
func below(t flatbuffers.Table, slot flatbuffers.VOffsetT) (flatbuffers.Table, bool) {
	o := flatbuffers.UOffsetT(t.Offset(slot))
	if o == 0 {
		return flatbuffers.Table{}, false
	}
	return flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(o + t.Pos)}, true
}

// checkSchema checks the lists of a schema.
func checkSchema(t flatbuffers.Table) error {
	left := maxFields
	if _, _, err := list(t, slotThird, 4); err != nil { // custom metadata
		return err
	}
	return checkFields(t, slotSecond, &left, 0)
}

func checkFields(t flatbuffers.Table, slot flatbuffers.VOffsetT, left *int, depth int) error {
	at, n, err := list(t, slot, 4)
	if err != nil {
		return err
	}
	if *left -= n; *left < 0 || depth > maxNested {
		return fmt.Errorf("over %d columns, or %d nested: %w", maxFields, maxNested, job.ErrInvalid)
	}
	for i := range n {
		field := flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at + flatbuffers.UOffsetT(4*i))}
		if _, _, err := list(field, slotSeventh, 4); err != nil { // custom metadata
			return err
		}
		if err := checkFields(field, slotSixth, left, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// checkMessage checks the lists of a message, and returns the length of its body.
func checkMessage(b []byte) (body int64, err error) {
	const schema = 1
	t := root(b)
	if _, _, err := list(t, slotFifth, 4); err != nil { // custom metadata
		return 0, err
	}
	if o := flatbuffers.UOffsetT(t.Offset(slotFourth)); o != 0 {
		body = t.GetInt64(o + t.Pos)
	}
	if o := flatbuffers.UOffsetT(t.Offset(slotSecond)); o != 0 && t.GetByte(o+t.Pos) == schema {
		if header, ok := below(t, slotThird); ok {
			return body, checkSchema(header)
		}
	}
	return body, nil
}

// message reads the metadata of a message at an offset, and the offset of its body. It
// returns nil at the mark of the end.
func message(r io.ReaderAt, at, size int64) (metadata []byte, body int64, err error) {
	var head [8]byte
	n, err := r.ReadAt(head[:], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	length, from := int64(binary.LittleEndian.Uint32(head[:])), at+4
	if length == 0xffffffff {
		length, from = int64(binary.LittleEndian.Uint32(head[4:])), at+8
	}
	switch {
	case n < len(head) && from-at > int64(n), n < 4:
		return nil, 0, io.ErrUnexpectedEOF
	case length == 0:
		return nil, from, nil
	case length > maxMetadata || length > size-from:
		return nil, 0, fmt.Errorf("a message of %d bytes: %w", length, io.ErrUnexpectedEOF)
	}
	metadata = make([]byte, length)
	if _, err = r.ReadAt(metadata, from); errors.Is(err, io.EOF) {
		err = nil
	}
	return metadata, from + length, err
}

// checkStream checks the messages of a stream up to its mark of the end, which must be the
// end of the file.
func checkStream(r io.ReaderAt, size int64) error {
	for at := int64(0); ; {
		metadata, next, err := message(r, at, size)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			if at == 0 {
				return fmt.Errorf("want an Arrow IPC file or stream: %w", job.ErrInvalid)
			}
			return fmt.Errorf("the stream has no mark of its end: is it truncated? Close the writer of the stream: %w", job.ErrInvalid)
		}
		if err != nil {
			return err
		}
		if metadata == nil {
			if next != size {
				return fmt.Errorf("%d bytes after the end of the stream: want one stream in a file: %w", size-next, job.ErrInvalid)
			}
			return nil
		}
		body, err := checkMessage(metadata)
		if err != nil {
			return err
		}
		if body < 0 || body > size-next {
			return fmt.Errorf("a batch of %d bytes, of which %d are there: the stream has no mark of its end: is it truncated?: %w", body, size-next, job.ErrInvalid)
		}
		at = next + body
	}
}

// checkFile checks the footer of a file and the messages that it lists.
func checkFile(r io.ReaderAt, size int64) error {
	const end = 4 + 6 // the footer's length and the magic text
	var tail [end]byte
	if size < 2*end {
		return io.ErrUnexpectedEOF
	}
	if _, err := r.ReadAt(tail[:], size-end); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > maxMetadata || length > size-end {
		return fmt.Errorf("a footer of %d bytes: %w", length, io.ErrUnexpectedEOF)
	}
	footer := make([]byte, length)
	if _, err := r.ReadAt(footer, size-end-length); err != nil {
		return err
	}
	t := root(footer)
	if schema, ok := below(t, slotSecond); ok {
		if err := checkSchema(schema); err != nil {
			return err
		}
	}
	if _, _, err := list(t, slotFifth, 4); err != nil { // custom metadata
		return err
	}
	for _, slot := range []flatbuffers.VOffsetT{slotThird, slotFourth} { // dictionaries, batches
		at, n, err := list(t, slot, blockSize)
		if err != nil {
			return err
		}
		for i := range n {
			offset := t.GetInt64(at + flatbuffers.UOffsetT(blockSize*i))
			if offset < 0 || offset > size {
				return io.ErrUnexpectedEOF
			}
			metadata, _, err := message(r, offset, size)
			if err != nil {
				return err
			}
			if metadata == nil {
				return io.ErrUnexpectedEOF
			}
			if _, err := checkMessage(metadata); err != nil {
				return err
			}
		}
	}
	return nil
}
