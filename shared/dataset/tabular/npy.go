package tabular

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"tributary/shared/job"
)

// NPY is the header of a NumPy array in the format of numpy.save (NumPy Enhancement
// Proposal 1): a magic text, the version, and a dictionary with type, order and shape.
type NPY struct {
	Shape   []int
	Fortran bool  // the first dimension varies fastest
	Offset  int64 // of the first value

	kind byte // b, i, u or f
	size int  // bytes of a value
	big  bool // big-endian
}

const (
	npyMagic     = "\x93NUMPY"
	maxNPYHeader = 64 << 10
)

var (
	npyHeader = regexp.MustCompile(`^\{\s*'descr'\s*:\s*'([^'\\]{1,40})'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,\s*'shape'\s*:\s*\(([0-9, ]*)\)\s*,?\s*\}\s*$`)
	npyType   = regexp.MustCompile(`^([<>|=])(b1|[iu][1248]|f[248])$`)
)

// Size returns the bytes of a value.
func (h *NPY) Size() int { return h.size }

// Bytes reports whether the values are unsigned bytes or booleans; Short whether 32-bit
// floats hold all of them.
func (h *NPY) Bytes() bool { return h.size == 1 && h.kind != 'i' }

// Short reports whether the values are floats of at most 32 bits.
func (h *NPY) Short() bool { return h.kind == 'f' && h.size <= 4 }

// ReadNPYHeader reads the header, which is everything before the values. It fails with
// job.ErrInvalid for other types than booleans, integers and floats, for an array without
// rows, with over maxDims dimensions, or with over limit bytes of values.
func ReadNPYHeader(r io.Reader, limit int64, maxDims int) (*NPY, error) {
	text, offset, err := npyDictionary(r)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("truncated NumPy file: it ends within the header: %w", job.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	parts := npyHeader.FindStringSubmatch(text)
	if parts == nil {
		return nil, fmt.Errorf("the header %.200q: want an array of numbers, not of structures or objects: %w", strings.TrimSpace(text), job.ErrInvalid)
	}
	h := &NPY{Fortran: parts[2] == "True", Offset: offset}
	kind := npyType.FindStringSubmatch(parts[1])
	if kind == nil {
		return nil, fmt.Errorf("an array of type %q (%s): want booleans, integers of 8 to 64 bits, or floats of 16 to 64 bits (b1, i1 … u8, f2, f4, f8): %w", parts[1], npyWord(parts[1]), job.ErrInvalid)
	}
	h.big, h.kind, h.size = kind[1] == ">", kind[2][0], int(kind[2][1]-'0')
	return h, h.shape(parts[3], limit, maxDims)
}

// npyDictionary reads the header's text.
func npyDictionary(r io.Reader) (text string, offset int64, err error) {
	head := make([]byte, len(npyMagic)+2)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", 0, err
	}
	if string(head[:len(npyMagic)]) != npyMagic {
		return "", 0, fmt.Errorf("begins with % x: want a NumPy array, as numpy.save writes it: %w", head[:len(npyMagic)], job.ErrInvalid)
	}
	var length int64
	switch version := head[len(npyMagic)]; version {
	case 1:
		var n [2]byte
		_, err = io.ReadFull(r, n[:])
		length, offset = int64(binary.LittleEndian.Uint16(n[:])), int64(len(head)+len(n))
	case 2, 3:
		var n [4]byte
		_, err = io.ReadFull(r, n[:])
		length, offset = int64(binary.LittleEndian.Uint32(n[:])), int64(len(head)+len(n))
	default:
		return "", 0, fmt.Errorf("a NumPy file of version %d: want 1 to 3: %w", version, job.ErrInvalid)
	}
	if err != nil {
		return "", 0, err
	}
	if length > maxNPYHeader {
		return "", 0, fmt.Errorf("a header of %d bytes: want at most %d: %w", length, maxNPYHeader, job.ErrInvalid)
	}
	dictionary := make([]byte, length)
	_, err = io.ReadFull(r, dictionary)
	return string(dictionary), offset + length, err
}

// npyWord says what a type is that is not read.
func npyWord(descr string) string {
	switch strings.TrimLeft(descr, "<>|=")[:1] {
	case "O":
		return "Python objects, which are a pickle and are never read"
	case "U", "S":
		return "texts"
	case "M", "m":
		return "dates"
	case "c":
		return "complex numbers"
	default:
		return "another type"
	}
}

// shape parses the dimensions.
func (h *NPY) shape(text string, limit int64, maxDims int) error {
	total := int64(h.size)
	for word := range strings.SplitSeq(strings.TrimSuffix(strings.ReplaceAll(text, " ", ""), ","), ",") {
		n, err := strconv.ParseInt(word, 10, 64)
		switch {
		case err != nil:
			return fmt.Errorf("the shape (%.80s): want 1 to %d dimensions: %w", text, maxDims, job.ErrInvalid)
		case n < 1:
			return fmt.Errorf("the shape (%.80s) has no values: %w", text, job.ErrInvalid)
		case n > limit/total:
			return fmt.Errorf("the shape (%.80s) has over %d bytes of values: %w", text, limit, job.ErrInvalid)
		}
		total *= n
		h.Shape = append(h.Shape, int(n))
	}
	if n := len(h.Shape); n > maxDims {
		return fmt.Errorf("the shape (%.80s): want 1 to %d dimensions: %w", text, maxDims, job.ErrInvalid)
	}
	if h.Width() > MaxColumns {
		return fmt.Errorf("%d values in a row: at most %d: %w", h.Width(), MaxColumns, job.ErrInvalid)
	}
	return nil
}

// Width returns the number of values in a row: the product of all dimensions but the first.
func (h *NPY) Width() int {
	width := 1
	for _, n := range h.Shape[1:] {
		width *= n
	}
	return width
}

// Length returns the bytes of the values.
func (h *NPY) Length() int64 { return int64(h.Shape[0]) * int64(h.Width()) * int64(h.size) }

// Column returns where value j of each row, in C order, lies in Fortran order: the number
// of values of a row that come before it.
func (h *NPY) Column(j int) int {
	at := 0
	for k := len(h.Shape) - 1; k > 0; k-- { // digits of j, the last dimension first
		stride := 1
		for _, n := range h.Shape[1:k] {
			stride *= n
		}
		at += j % h.Shape[k] * stride
		j /= h.Shape[k]
	}
	return at
}

// Value decodes a value. It fails with job.ErrInvalid if a 64-bit float does not hold it
// exactly, and for NaN and infinities.
func (h *NPY) Value(b []byte) (float64, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if h.big {
		order = binary.BigEndian
	}
	var bits uint64
	switch h.size {
	case 1:
		bits = uint64(b[0])
	case 2:
		bits = uint64(order.Uint16(b))
	case 4:
		bits = uint64(order.Uint32(b))
	default:
		bits = order.Uint64(b)
	}
	const exact = 1 << 53
	switch h.kind {
	case 'f':
		x := h.float(bits)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return 0, fmt.Errorf("%v: want a finite number: %w", x, job.ErrInvalid)
		}
		return x, nil
	case 'i':
		shift := 64 - 8*h.size
		n := int64(bits<<shift) >> shift
		if n > exact || n < -exact {
			return 0, fmt.Errorf("%d: want at most 2⁵³, because a 64-bit float does not hold it: %w", n, job.ErrInvalid)
		}
		return float64(n), nil
	default:
		if bits > exact {
			return 0, fmt.Errorf("%d: want at most 2⁵³, because a 64-bit float does not hold it: %w", bits, job.ErrInvalid)
		}
		return float64(bits), nil
	}
}

func (h *NPY) float(bits uint64) float64 {
	switch h.size {
	case 2:
		return half(uint16(bits))
	case 4:
		return float64(math.Float32frombits(uint32(bits)))
	default:
		return math.Float64frombits(bits)
	}
}

// half converts a half-precision number.
func half(b uint16) float64 {
	sign, exponent, fraction := uint64(b>>15)<<63, uint64(b>>10&31), uint64(b&1023)
	switch {
	case exponent == 0:
		return math.Float64frombits(math.Float64bits(float64(float64(fraction)*0x1p-24)) | sign) // exact
	case exponent < 31:
		return math.Float64frombits(sign | (exponent+1023-15)<<52 | fraction<<42)
	case fraction != 0:
		return math.NaN()
	default:
		return math.Float64frombits(math.Float64bits(math.Inf(1)) | sign)
	}
}
