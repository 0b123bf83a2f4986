package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/job"
)

// A vector may be kept in two parts: its seal, which is what Append puts before
// and behind the floats, and the floats as they are. So the floats go from the
// memory where they were computed to a store, and back, without a copy.
//
// Invariant: a seal's checksum is that of the whole vector, so that Append,
// AppendSeal and whoever joins the parts come to the same.

// SealSize is the most bytes of a seal.
const SealSize = Overhead

// AppendSeal appends the seal of h and v to dst and returns it with the
// vector's checksum, the same as Append's.
func AppendSeal(dst []byte, h Header, v []float32) ([]byte, uint64) {
	start := len(dst)
	dst = appendHead(dst, h, len(v))
	sum := sealed(dst[start:], Bytes(v))
	return binary.LittleEndian.AppendUint64(dst, sum), sum
}

// OpenSeal holds a seal of the kind, of encoding Float32, against the floats that it
// was made for and returns its header and the vector's checksum. What does not belong together
// fails with job.ErrCorrupt.
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

// ReadSeal reads a seal of the kind: its header, the number of floats and the
// checksum that it announces, which nothing vouches for.
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

// sealed is the checksum of a head and the floats behind it.
func sealed(head, floats []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(head) // a digest takes everything
	_, _ = d.Write(floats)
	return d.Sum64()
}

// appendHead appends what stands before n floats.
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

// readHead reads what appendHead wrote, of a kind that is known.
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

// Bytes is v as little-endian bytes: v's own memory where the machine keeps
// floats so, else a copy. They must not be written to.
func Bytes(v []float32) []byte {
	if bigEndian {
		return AppendFloats(nil, v)
	}
	return Memory(v)
}

// Memory is v's memory, to read little-endian bytes into; FromLittle makes
// floats of them.
func Memory(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

// FromLittle makes floats of the little-endian bytes in v's memory; where the
// machine keeps floats so there is nothing to do.
func FromLittle(v []float32) {
	if bigEndian {
		Floats(v, append([]byte(nil), Memory(v)...))
	}
}
