package tabular

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"tributary/shared/job"
)

// The IDX format (LeCun, Cortes, Burges: "The MNIST database"): two zero
// bytes, a type, the number of dimensions, each dimension as a big-endian
// uint32, then the values, big-endian, the last dimension varying fastest.
const (
	idxByte  = 0x08 // unsigned byte
	idxFloat = 0x0D // float32
)

// IDX is the shape of an IDX file. Width is the number of values in a row: the product of
// all dimensions except the first.
type IDX struct {
	Rows, Width int
	Float       bool // float32, big-endian; else unsigned bytes
}

// Size returns the bytes of a value.
func (x IDX) Size() int {
	if x.Float {
		return 4
	}
	return 1
}

// ReadIDXHeader reads the header, which is everything before the values. It fails with
// job.ErrInvalid if the header announces more than limit bytes of values or more than
// maxDims dimensions.
func ReadIDXHeader(r io.Reader, limit int64, maxDims int) (x IDX, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
		return x, fmt.Errorf("empty file: want IDX: %w", job.ErrInvalid)
	} else if err != nil {
		return x, TruncatedIDX("header", err)
	}
	if head[0] != 0 || head[1] != 0 {
		return x, fmt.Errorf("begins with % x: want IDX, two zero bytes: %w", head[:2], job.ErrInvalid)
	}
	switch head[2] {
	case idxByte:
	case idxFloat:
		x.Float = true
	default:
		return x, fmt.Errorf("IDX type %#02x: want %#02x (unsigned byte) or %#02x (float): %w", head[2], idxByte, idxFloat, job.ErrInvalid)
	}
	if n := int(head[3]); n < 1 || n > maxDims {
		return x, fmt.Errorf("IDX of %d dimensions: want 1 to %d: %w", n, maxDims, job.ErrInvalid)
	}
	x.Width = 1
	total := int64(x.Size())
	for i := range int(head[3]) {
		var d [4]byte
		if _, err := io.ReadFull(r, d[:]); err != nil {
			return x, TruncatedIDX("header", err)
		}
		n := int64(binary.BigEndian.Uint32(d[:]))
		if n == 0 {
			return x, fmt.Errorf("IDX dimension %d is 0: want at least 1: %w", i, job.ErrInvalid)
		}
		if n > limit/total {
			return x, fmt.Errorf("IDX dimensions announce over %d bytes: %w", limit, job.ErrInvalid)
		}
		total *= n
		if i == 0 {
			x.Rows = int(n)
		} else {
			x.Width *= int(n)
		}
	}
	if x.Width > MaxColumns {
		return x, fmt.Errorf("%d values in a row: at most %d: %w", x.Width, MaxColumns, job.ErrInvalid)
	}
	return x, nil
}

// Decode appends the values in raw to dst. raw must contain complete values.
func (x IDX) Decode(dst []float64, raw []byte) []float64 {
	if !x.Float {
		for _, b := range raw {
			dst = append(dst, float64(b))
		}
		return dst
	}
	for ; len(raw) >= 4; raw = raw[4:] {
		dst = append(dst, float64(math.Float32frombits(binary.BigEndian.Uint32(raw))))
	}
	return dst
}

// EndIDX fails with job.ErrInvalid if there are bytes after the last value.
func EndIDX(r io.Reader) error {
	switch _, err := io.ReadFull(r, make([]byte, 1)); {
	case err == nil:
		return fmt.Errorf("bytes after the last value its header announces: %w", job.ErrInvalid)
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// TruncatedIDX replaces an unexpected end of the file by an error that says where it ends.
// It returns other errors unchanged.
func TruncatedIDX(where string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("truncated IDX: ends after %s: %w", where, job.ErrInvalid)
	}
	return err
}
