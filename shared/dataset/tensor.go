package dataset

import (
	"fmt"
	"unsafe"

	"tributary/shared/wire"
)

// Block is a decoded block of rows. A block of a float table has X [Rows, Features] and
// Y [Rows, Targets], row-major. A block of fields has neither. Field reads both kinds.
type Block struct {
	Rows, Features, Targets int
	X, Y                    []float32

	// These are set only in a block of fields.
	schema  Schema
	image   []byte   // as Encode returns it, except byte order and checksum
	tensors []Tensor // one per field, in image
}

// Tensor is one field of all rows of a block. It uses the memory of the block.
type Tensor struct {
	Field

	rows                   int
	memory                 []byte // the section
	offset, stride, length int    // bytes
}

// Schema returns the fields of the block's rows.
func (b *Block) Schema() Schema {
	if b.schema == nil {
		return Table(b.Features, b.Targets)
	}
	return b.schema
}

// Field returns field i of the schema.
func (b *Block) Field(i int) *Tensor {
	if b.schema != nil {
		return &b.tensors[i]
	}
	f, v := Table(b.Features, b.Targets)[i], b.X
	if f.Target {
		v = b.Y
	}
	n := 4 * f.Shape[0]
	return &Tensor{Field: f, rows: b.Rows, memory: wire.Memory(v), stride: n, length: n}
}

// size returns the memory, in bytes, of a decoded block.
func (b *Block) size() int64 { return 4*int64(len(b.X)+len(b.Y)) + int64(cap(b.image)) }

// Float32 returns the rows lo … hi−1 of a float32 field, [hi−lo, Shape…], without a copy.
// Windows share steps: for several rows it returns each step once, from the first step of
// row lo to the last step of row hi−1. It panics if the field has another type or the block
// does not have these rows.
func (t *Tensor) Float32(lo, hi int) []float32 { return words[float32](t.bytes(Float32, lo, hi)) }

// Int32 is like Float32, for an int32 field.
func (t *Tensor) Int32(lo, hi int) []int32 { return words[int32](t.bytes(Int32, lo, hi)) }

// Uint8 is like Float32, for a uint8 field.
func (t *Tensor) Uint8(lo, hi int) []uint8 { return t.bytes(Uint8, lo, hi) }

func (t *Tensor) bytes(want DType, lo, hi int) []byte {
	if t.DType != want {
		panic(fmt.Sprintf("field %q is %s, read as %s", t.Name, t.DType, want))
	}
	if lo < 0 || lo > hi || hi > t.rows {
		panic(fmt.Sprintf("field %q: rows %d to %d of %d", t.Name, lo, hi, t.rows))
	}
	if lo == hi {
		return nil
	}
	begin, end := lo*t.stride+t.offset, (hi-1)*t.stride+t.offset+t.length
	return t.memory[begin:end:end]
}

// words returns aligned memory as numbers of 4 bytes.
func words[T float32 | int32](memory []byte) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/4)
}
