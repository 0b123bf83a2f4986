// Package wire encodes vectors as bytes that outlive a process: with magic, version and
// checksum, little-endian, the same on every machine.
//
// It owns the encoding of float32 vectors (partials, roots, residuals, snapshots, blocks)
// and the lossy formats of a job's wire ([Format]). It does not round (package rounding)
// and does no I/O. The adapters of the ledger and of the dataset call it. Packages
// checkpoint and registry use only its conversion between floats and bytes.
//
// Invariant: Decode accepts exactly the bytes that Append made. For any other bytes it
// returns an error that wraps job.ErrCorrupt, and it never panics.
package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/job"
)

// Kind says what a vector is, so that it cannot be read as something else.
type Kind byte

// The kinds of vector.
const (
	Partial  Kind = 'p'
	Root     Kind = 'r'
	Snapshot Kind = 's'
	Residual Kind = 'e'
	Block    Kind = 'b'
)

// Header is the metadata before the floats of a vector. The kind decides what A, B and C
// mean. For partials, roots and residuals they are step, node, chunk; for snapshots step,
// vector count, chunk; for blocks rows, features, targets.
type Header struct {
	Kind     Kind
	Encoding Encoding // of the floats: Float32, except for partials and roots of a lossy wire
	A, B, C  uint64
	Examples int64   // partials and roots: terms summed
	Loss     float64 // partials and roots: sum of losses
	// Chain is the link of the update log that comes before the vector; see ledger.Link.
	// Only roots, residuals and snapshots have it.
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
	// Overhead is the largest number of bytes that an encoded vector has in addition to its
	// floats.
	Overhead = chainAt + chainSize + sumSize
)

// chained reports whether vectors of the kind carry a link of the log.
func (k Kind) chained() bool { return k == Root || k == Snapshot || k == Residual }

// version returns the version of vectors of the kind.
func (k Kind) version() uint32 {
	if k == Root || k == Snapshot {
		return 2
	}
	return 1
}

// headerSize returns the offset of the floats in a vector of the kind.
func (k Kind) headerSize() int {
	if k.chained() {
		return chainAt + chainSize
	}
	return chainAt
}

var bigEndian = func() bool { x := uint16(1); return *(*byte)(unsafe.Pointer(&x)) == 0 }()

// Append appends the encoding of h and v to dst. It returns the result and the checksum of
// the vector, which identifies its bytes.
func Append(dst []byte, h Header, v []float32) ([]byte, uint64) {
	start := len(dst)
	dst = appendHead(dst, h, len(v))
	dst = AppendFloats(dst, v)
	sum := xxhash.Sum64(dst[start:])
	return binary.LittleEndian.AppendUint64(dst, sum), sum
}

// Decode checks an encoded vector with encoding Float32. It returns its header, its floats
// as bytes, and its checksum. The bytes are a part of data; Floats reads them. It fails
// with job.ErrCorrupt.
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

// Open checks an encoded vector, except the contents of its payload. It returns its header,
// the number of floats that it announces, its payload (a part of data), and its checksum.
// It fails with job.ErrCorrupt.
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

// checkVersion fails with job.ErrCorrupt if this program cannot read the version or the
// encoding.
func (k Kind) checkVersion(head []byte) error {
	v := binary.LittleEndian.Uint32(head[4:])
	if v&0xffff != k.version() || v>>16 >= uint32(encodings) {
		return fmt.Errorf("vector of kind %q has version %d; this program reads version %d: %w", k, v, k.version(), job.ErrCorrupt)
	}
	return nil
}

// DecodeInto checks an encoded vector of a kind and copies its floats into dst. len(dst)
// must be the number of floats.
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

// AppendFloats appends the floats of v to dst as little-endian bytes.
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
