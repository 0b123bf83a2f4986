package dataset

import (
	"bytes"
	"fmt"
	"math"

	"tributary/shared/job"
	"tributary/shared/wire"
)

// A block of a float table is encoded as one wire vector of kind Block. A is the rows, B
// the features, C the targets; the floats are X [Rows, Features], then Y [Rows, Targets]. A
// block of fields has another layout; see fieldsMagic.

// maxSide is the largest number of rows, of features and of targets of a block, because
// RowRef counts in int32.
const maxSide = math.MaxInt32

// Encode returns the block's bytes. They share no memory with the block. X and Y of a float
// table must have the shape that the block states.
func Encode(b *Block) []byte {
	if b.schema != nil {
		return encodeFields(b)
	}
	n := b.Rows * (b.Features + b.Targets)
	floats := make([]float32, 0, n)
	floats = append(append(floats, b.X...), b.Y...)
	dst := make([]byte, 0, 4*n+wire.Overhead)
	dst, _ = wire.Append(dst, wire.Header{
		Kind: wire.Block, A: uint64(b.Rows), B: uint64(b.Features), C: uint64(b.Targets),
	}, floats)
	return dst
}

// DecodeBlock reads the bytes that Encode made. For any other bytes it fails with
// job.ErrCorrupt. A block of fields keeps data, so the caller must not write to data
// afterwards.
func DecodeBlock(data []byte) (*Block, error) {
	if bytes.HasPrefix(data, []byte(fieldsMagic)) {
		return decodeFields(data)
	}
	h, bytes, _, err := wire.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("decode block: %w", err)
	}
	if h.Kind != wire.Block {
		return nil, fmt.Errorf("decode block: vector is of kind %q, %q expected: %w", byte(h.Kind), byte(wire.Block), job.ErrCorrupt)
	}
	n := uint64(len(bytes) / 4)
	if h.A < 1 || h.A > maxSide || h.B > maxSide || h.C > maxSide || h.B+h.C < 1 ||
		n/h.A != h.B+h.C || n%h.A != 0 {
		return nil, fmt.Errorf("decode block: %d rows of %d features and %d targets do not make %d floats: %w",
			h.A, h.B, h.C, n, job.ErrCorrupt)
	}
	floats := make([]float32, n)
	wire.Floats(floats, bytes)
	x := h.A * h.B
	return &Block{
		Rows: int(h.A), Features: int(h.B), Targets: int(h.C),
		X: floats[:x:x], Y: floats[x:],
	}, nil
}
