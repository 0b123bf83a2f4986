package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/job"
)

// A vector may be stored in two parts: its seal and its floats. The seal is what Append
// writes before and after the floats. The floats can then go between the memory that they
// are computed in and a store without a copy.
//
// Invariant: a seal has the checksum of the whole vector. Append, AppendSeal and a caller
// that joins the two parts make the same bytes.

// SealSize is the largest number of bytes of a seal.
const SealSize = Overhead

// AppendSeal appends the seal of h and v to dst. It returns the result and the checksum of
// the vector, which is the same as that of Append.
func AppendSeal(dst []byte, h Header, v []float32) ([]byte, uint64) {
	start := len(dst)
	dst = appendHead(dst, h, len(v))
	sum := sealed(dst[start:], Bytes(v))
	return binary.LittleEndian.AppendUint64(dst, sum), sum
}

// OpenSeal checks that a seal of the kind, with encoding Float32, belongs to the floats. It
// returns the header and the checksum of the vector. It fails with job.ErrCorrupt if they
// do not belong together.
func OpenSeal(seal []byte, kind Kind, floats []byte) (Header, uint64, error) {
	h, n, sum, err := ReadSeal(seal, kind)
	if err != nil {
		return h, 0, err
	}
	if h.Encoding != Float32 {
		return h, 0, fmt.Errorf("vector has encoding %d, %d expected: %w", h.Encoding, Float32, job.ErrCorrupt)
	}
	if n != uint64(len(floats)/4) || len(floats)%4 != 0 {
		return h, 0, fmt.Errorf("vector announces %d floats and holds %d bytes: %w", n, len(floats), job.ErrCorrupt)
	}
	if got := sealed(seal[:len(seal)-sumSize], floats); got != sum {
		return h, 0, fmt.Errorf("vector has checksum %016x, its bytes %016x: %w", sum, got, job.ErrCorrupt)
	}
	return h, sum, nil
}

// ReadSeal reads a seal of the kind. It returns the header, the number of floats, and the
// announced checksum, which it does not verify.
func ReadSeal(seal []byte, kind Kind) (h Header, n, sum uint64, err error) {
	if want := kind.headerSize() + sumSize; len(seal) != want {
		return h, 0, 0, fmt.Errorf("seal of %d bytes: want %d: %w", len(seal), want, job.ErrCorrupt)
	}
	if string(seal[:3]) != "TRV" || Kind(seal[3]) != kind {
		return h, 0, 0, fmt.Errorf("seal begins with %q: want %q: %w", seal[:4], "TRV"+string(kind), job.ErrCorrupt)
	}
	if err := kind.checkVersion(seal); err != nil {
		return h, 0, 0, err
	}
	h, n = readHead(seal)
	return h, n, binary.LittleEndian.Uint64(seal[len(seal)-sumSize:]), nil
}

// sealed returns the checksum of a head followed by the floats.
func sealed(head, floats []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(head) // writing to a digest never fails
	_, _ = d.Write(floats)
	return d.Sum64()
}

// appendHead appends everything that is written before n floats.
func appendHead(dst []byte, h Header, n int) []byte {
	dst = append(dst, 'T', 'R', 'V', byte(h.Kind))
	dst = binary.LittleEndian.AppendUint32(dst, h.Kind.version()|uint32(h.Encoding)<<16)
	for _, x := range [...]uint64{h.A, h.B, h.C, uint64(h.Examples), math.Float64bits(h.Loss), uint64(n)} {
		dst = binary.LittleEndian.AppendUint64(dst, x)
	}
	if h.Kind.chained() {
		dst = append(dst, h.Chain[:]...)
	}
	return dst
}

// readHead reads what appendHead wrote. The kind must be known.
func readHead(data []byte) (h Header, n uint64) {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(data[8+8*i:]) }
	h.Kind, h.Encoding = Kind(data[3]), Encoding(data[6])
	h.A, h.B, h.C = word(0), word(1), word(2)
	h.Examples, h.Loss = int64(word(3)), math.Float64frombits(word(4))
	if h.Kind.chained() {
		h.Chain = [chainSize]byte(data[chainAt:])
	}
	return h, word(5)
}

// Bytes returns v as little-endian bytes. On a little-endian machine this is the memory of
// v itself, otherwise a copy. The caller must not write to it.
func Bytes(v []float32) []byte {
	if bigEndian {
		return AppendFloats(nil, v)
	}
	return Memory(v)
}

// Memory returns the memory of v, so that the caller can read little-endian bytes into it.
// FromLittle then turns them into floats.
func Memory(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// FromLittle turns the little-endian bytes in the memory of v into floats. On a
// little-endian machine it does nothing.
func FromLittle(v []float32) {
	if bigEndian {
		Floats(v, append([]byte(nil), Memory(v)...))
	}
}
