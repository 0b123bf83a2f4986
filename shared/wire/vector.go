// Package wire is how vectors look as bytes where they outlive a process: with
// magic, version and checksum, little-endian, the same on every machine.
//
// It owns the encoding of float32 vectors (partials, roots, residuals, snapshots,
// blocks) and the lossy formats of a job's wire ([Format]). It rounds nothing.
// The ledger's and the dataset's adapters call it; it does no I/O.
//
// Invariant: Decode accepts exactly what Append made, and whatever else it is
// given it returns an error wrapping job.ErrCorrupt and never panics.
package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/job"
)

// Kind tells what a vector is, so that one cannot be read as another.
type Kind byte

// The kinds of vector.
const (
	Partial  Kind = 'p'
	Root     Kind = 'r'
	Snapshot Kind = 's'
	Residual Kind = 'e'
	Block    Kind = 'b'
)

// Header stands before a vector's floats. The meaning of A, B, C is the
// kind's: for partials, roots and residuals step, node, chunk; for snapshots step, vector
// count, chunk; for blocks rows, features, targets.
type Header struct {
	Kind     Kind
	Encoding Encoding // of the floats: Float32 but for partials and roots of a lossy wire
	A, B, C  uint64
	Examples int64   // partials and roots: rows summed
	Loss     float64 // partials and roots: sum of losses
	// Chain, of roots, residuals and snapshots only, is the link of the update log
	// that the vector comes after; see ledger.Link.
	Chain [32]byte
}

// Layout of a vector, little-endian:
//
//	0  magic "TRV", kind          4 bytes
//	4  version, by kind           uint16
//	6  encoding of the floats     uint16
//	8  A, B, C                    3 × uint64
//	32 Examples                   int64
//	40 Loss                       float64
//	48 number of floats           uint64
//	56 Chain                      32 bytes, in roots, residuals and snapshots only
//	…  floats                     n × float32, or as the encoding has them
//	…  xxHash64 of all before     uint64
//
// Partials, residuals and blocks have version 1. Roots and snapshots have version 2: in
// version 1, which nothing reads any more, they had no Chain.
const (
	chainAt   = 56
	chainSize = 32
	sumSize   = 8
	// Overhead is the most bytes that an encoded vector is longer than its floats.
	Overhead = chainAt + chainSize + sumSize
)

// chained reports that vectors of the kind carry a link of the log.
func (k Kind) chained() bool { return k == Root || k == Snapshot || k == Residual }

// version is the version that vectors of the kind have.
func (k Kind) version() uint32 {
	if k == Root || k == Snapshot {
		return 2
	}
	return 1
}

// headerSize is where the floats of a vector of the kind begin.
func (k Kind) headerSize() int {
	if k.chained() {
		return chainAt + chainSize
	}
	return chainAt
}

var bigEndian = func() bool { x := uint16(1); return *(*byte)(unsafe.Pointer(&x)) == 0 }()

// Append appends the encoding of h and v to dst and returns it with the
// vector's checksum, which identifies its bytes.
func Append(dst []byte, h Header, v []float32) ([]byte, uint64) {
	start := len(dst)
	dst = appendHead(dst, h, len(v))
	dst = AppendFloats(dst, v)
	sum := xxhash.Sum64(dst[start:])
	return binary.LittleEndian.AppendUint64(dst, sum), sum
}

// Decode checks an encoded vector of encoding Float32 and returns its header, its
// floats as bytes (a part of data, to be read with Floats), and its checksum.
func Decode(data []byte) (h Header, floats []byte, sum uint64, err error) {
	h, n, floats, sum, err := Open(data)
	switch {
	case err != nil:
		return h, nil, 0, err
	case h.Encoding != Float32:
		return h, nil, 0, fmt.Errorf("vector has encoding %d, %d expected: %w", h.Encoding, Float32, job.ErrCorrupt)
	case n != uint64(len(floats)/4) || len(floats)%4 != 0:
		return h, nil, 0, fmt.Errorf("vector announces %d floats and holds %d bytes: %w", n, len(floats), job.ErrCorrupt)
	}
	return h, floats, sum, nil
}

// Open checks an encoded vector, but for what its payload means, and returns its
// header, the number of floats that it announces, its payload (a part of data), and
// its checksum.
func Open(data []byte) (h Header, n uint64, payload []byte, sum uint64, err error) {
	if len(data) < chainAt+sumSize {
		return h, 0, nil, 0, fmt.Errorf("vector of %d bytes: at least %d expected: %w", len(data), chainAt+sumSize, job.ErrCorrupt)
	}
	if string(data[:3]) != "TRV" {
		return h, 0, nil, 0, fmt.Errorf("vector begins with %q, not \"TRV\": %w", data[:3], job.ErrCorrupt)
	}
	h.Kind = Kind(data[3])
	if err := h.Kind.checkVersion(data); err != nil {
		return h, 0, nil, 0, err
	}
	if least := h.Kind.headerSize() + sumSize; len(data) < least {
		return h, 0, nil, 0, fmt.Errorf("vector of kind %q of %d bytes: at least %d expected: %w", h.Kind, len(data), least, job.ErrCorrupt)
	}
	body := data[:len(data)-sumSize]
	sum = binary.LittleEndian.Uint64(data[len(body):])
	if got := xxhash.Sum64(body); got != sum {
		return h, 0, nil, 0, fmt.Errorf("vector has checksum %016x, its bytes %016x: %w", sum, got, job.ErrCorrupt)
	}
	h, n = readHead(data)
	return h, n, body[h.Kind.headerSize():], sum, nil
}

// checkVersion reports a version or an encoding that this program does not read.
func (k Kind) checkVersion(head []byte) error {
	v := binary.LittleEndian.Uint32(head[4:])
	if v&0xffff != k.version() || v>>16 >= uint32(encodings) {
		return fmt.Errorf("vector of kind %q has version %d; this program reads version %d: %w", k, v, k.version(), job.ErrCorrupt)
	}
	return nil
}

// DecodeInto checks an encoded vector of a kind and copies its floats into
// dst, which must have their number.
func DecodeInto(dst []float32, data []byte, kind Kind) (Header, uint64, error) {
	h, floats, sum, err := Decode(data)
	if err != nil {
		return h, 0, err
	}
	if h.Kind != kind {
		return h, 0, fmt.Errorf("vector is of kind %q, %q expected: %w", h.Kind, kind, job.ErrCorrupt)
	}
	if len(floats) != 4*len(dst) {
		return h, 0, fmt.Errorf("vector holds %d floats, %d expected: %w", len(floats)/4, len(dst), job.ErrCorrupt)
	}
	Floats(dst, floats)
	return h, sum, nil
}

// AppendFloats appends v's little-endian bytes to dst.
func AppendFloats(dst []byte, v []float32) []byte {
	if bigEndian {
		for _, x := range v {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
		}
		return dst
	}
	return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))...)
}

// Floats reads little-endian bytes into dst; len(data) must be 4·len(dst).
func Floats(dst []float32, data []byte) {
	if bigEndian {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		return
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), 4*len(dst)), data)
}
