package dataset

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// Layout of a block of fields, little-endian:
//
//	0   magic "TRFb"            4 bytes
//	4   version                 uint32
//	8   rows                    uint32
//	12  bytes of the schema     uint32
//	16  schema                  JSON, as the manifest has it
//	…   zeros to a multiple of 64
//	…   sections, in the order of the schema, each with zeros to a multiple of 64
//	…   xxHash64 of all before  uint64
//
// A schema and rows have one encoding, and the decoder reads no other.
const (
	fieldsMagic    = "TRFb"
	fieldsVersion  = 1
	fieldsHead     = 16
	fieldsSum      = 8
	alignment      = 64
	maxSchemaBytes = 32 << 10 // more than maxFields can take
)

// aligned returns n rounded up to a multiple of the alignment.
func aligned(n int64) int64 { return (n + alignment - 1) &^ (alignment - 1) }

// appendFieldsHead appends everything before the sections.
func appendFieldsHead(dst []byte, s Schema, rows int) []byte {
	text, _ := json.Marshal(s) // cannot fail: only strings and numbers
	dst = append(dst, fieldsMagic...)
	for _, n := range []int{fieldsVersion, rows, len(text)} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	dst = append(dst, text...)
	return append(dst, make([]byte, aligned(int64(len(dst)))-int64(len(dst)))...)
}

// headBytes returns the length of what appendFieldsHead appended to data.
func headBytes(data []byte) int {
	return int(aligned(fieldsHead + int64(binary.LittleEndian.Uint32(data[12:]))))
}

// imageBytes returns the size of a block with the given number of rows and the given length
// of the head.
func (l layout) imageBytes(head, rows int) int64 {
	n := int64(head)
	for _, c := range l.sections {
		n += aligned(c.bytes(rows))
	}
	return n + fieldsSum
}

// NewBlock returns a block of fields for the caller to fill. All elements are 0. It fails
// with job.ErrInvalid if the schema or the number of rows is invalid.
func NewBlock(s Schema, rows int) (*Block, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("new block: %w: %w", err, job.ErrInvalid)
	}
	if rows < 1 || rows > maxSide {
		return nil, fmt.Errorf("new block: %d rows: want 1 to %d: %w", rows, maxSide, job.ErrInvalid)
	}
	l, head := s.layout(), appendFieldsHead(nil, s, rows)
	n := l.imageBytes(len(head), rows)
	if n > blob.MaxBytes {
		return nil, fmt.Errorf("new block: %d rows take %d bytes: want at most %d: %w", rows, n, int64(blob.MaxBytes), job.ErrInvalid)
	}
	image := make([]byte, n)
	copy(image, head)
	return l.block(s, rows, image), nil
}

// block makes a block from an image. The image must have the right size.
func (l layout) block(s Schema, rows int, image []byte) *Block {
	b := &Block{Rows: rows, schema: s, image: image, tensors: make([]Tensor, len(s))}
	sections, _ := l.cut(image[headBytes(image):], rows)
	for i, v := range l.views {
		b.tensors[i] = Tensor{
			Field: s[i], rows: rows, memory: sections[v.section],
			offset: int(v.offset), stride: int(l.sections[v.section].stride), length: int(v.length),
		}
	}
	return b
}

// cut splits the beginning of data into the sections and the padding after each section.
func (l layout) cut(data []byte, rows int) (sections, gaps [][]byte) {
	for _, c := range l.sections {
		n, next := c.bytes(rows), aligned(c.bytes(rows))
		sections, gaps = append(sections, data[:n:n]), append(gaps, data[n:next])
		data = data[next:]
	}
	return sections, gaps
}

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// swap reverses the bytes of each word of the sections at the beginning of data.
func (l layout) swap(data []byte, rows int) {
	sections, _ := l.cut(data, rows)
	for i, c := range l.sections {
		for b := sections[i]; c.word == 4 && len(b) > 0; b = b[4:] {
			binary.BigEndian.PutUint32(b, binary.LittleEndian.Uint32(b))
		}
	}
}

// encodeFields returns the bytes of a block of fields.
func encodeFields(b *Block) []byte {
	data := bytes.Clone(b.image)
	body := data[:len(data)-fieldsSum]
	if bigEndian {
		l := b.schema.layout()
		l.swap(data[headBytes(data):], b.Rows)
	}
	binary.LittleEndian.PutUint64(data[len(body):], xxhash.Sum64(body))
	return data
}

// decodeFields reads the bytes that encodeFields made. The block uses the memory of data.
// It copies data only if the words are not aligned there or the machine has another byte
// order.
func decodeFields(data []byte) (*Block, error) {
	s, rows, err := openFields(data)
	if err != nil {
		return nil, fmt.Errorf("decode block: %w: %w", err, job.ErrCorrupt)
	}
	l := s.layout()
	if bigEndian || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%4 != 0 {
		data = append(make([]byte, 0, len(data)), data...)
	}
	if bigEndian {
		l.swap(data[headBytes(data):], rows)
	}
	return l.block(s, rows, data), nil
}

// openFields checks an encoded block except its elements, which may have any value. It
// compares every size with the available bytes before it uses the size.
func openFields(data []byte) (s Schema, rows int, err error) {
	if len(data) < fieldsHead+fieldsSum {
		return nil, 0, fmt.Errorf("block of %d bytes: at least %d expected", len(data), fieldsHead+fieldsSum)
	}
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	if v := word(4); v != fieldsVersion {
		return nil, 0, fmt.Errorf("block of fields has version %d; this program reads version %d", v, fieldsVersion)
	}
	body := data[:len(data)-fieldsSum]
	if sum, got := binary.LittleEndian.Uint64(data[len(body):]), xxhash.Sum64(body); got != sum {
		return nil, 0, fmt.Errorf("block has checksum %016x, its bytes %016x", sum, got)
	}
	if n := word(8); n < 1 || n > maxSide {
		return nil, 0, fmt.Errorf("block of %d rows: want 1 to %d", n, maxSide)
	}
	rows = int(word(8))
	n := word(12)
	if n > maxSchemaBytes || int(n) > len(body)-fieldsHead {
		return nil, 0, fmt.Errorf("block announces a schema of %d bytes: want at most %d", n, min(maxSchemaBytes, len(body)-fieldsHead))
	}
	if err := json.Unmarshal(body[fieldsHead:fieldsHead+int(n)], &s); err != nil {
		return nil, 0, fmt.Errorf("block's schema: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, 0, fmt.Errorf("block's schema: %w", err)
	}
	first := appendFieldsHead(nil, s, rows)
	if !bytes.HasPrefix(body, first) {
		return nil, 0, fmt.Errorf("block's schema is not as this version writes it: want %q", first[fieldsHead:])
	}
	l := s.layout()
	if want := l.imageBytes(len(first), rows); int64(len(data)) != want {
		return nil, 0, fmt.Errorf("block of %d bytes: %d rows of its fields take %d", len(data), rows, want)
	}
	_, gaps := l.cut(body[len(first):], rows)
	for i, gap := range gaps {
		if len(bytes.Trim(gap, "\x00")) > 0 {
			return nil, 0, fmt.Errorf("block has bytes that are not 0 after section %d", i)
		}
	}
	return s, rows, nil
}
