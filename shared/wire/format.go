package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Encoding says how the floats of a vector are written; the written bytes are its payload.
// Every encoding except Float32 writes only values that are already rounded (package
// rounding), and writes them exactly. Each vector that an encoding can write has one
// payload, and each payload has one vector.
//
//	Float32   n × float32
//	Bfloat16  n × the upper 16 bits of float32; NaN is 0x7fc0
//	Int8      for each block of 256 elements (the last may be shorter): the scale, a
//	          float32 as numeric.BlockScale computes it, and an int8 for each element;
//	          the element is scale times the int8; with a scale of 0 or NaN all are 0
//	TopK      the elements whose bits are not 0, in order of their index, at most
//	          Format.Kept of them: index uint32, float32
type Encoding uint8

// The encodings. Their numbers are the upper 16 bits of a vector's version.
const (
	Float32 Encoding = iota
	Bfloat16
	Int8
	TopK
	encodings
)

// Format is the encoding of a job's gradients.
type Format struct {
	Encoding Encoding
	Keep     float64 // for TopK: the fraction of a chunk's elements that is kept, in (0, 1]
}

// FormatOf returns the format of a job's wire. keep is the job's wire_keep. It fails with
// job.ErrInvalid.
func FormatOf(w job.Wire, keep float64) (Format, error) {
	f := Format{Keep: keep}
	switch w {
	case "", job.WireFloat32:
	case job.WireBfloat16:
		f.Encoding = Bfloat16
	case job.WireInt8:
		f.Encoding = Int8
	case job.WireTopK:
		f.Encoding = TopK
	default:
		return Format{}, fmt.Errorf("wire %.40q: want one of %q: %w", string(w), w.Allowed(), job.ErrInvalid)
	}
	return f, f.Validate()
}

// Validate fails with job.ErrInvalid if the encoding is unknown or Keep does not fit it.
func (f Format) Validate() error {
	switch {
	case f.Encoding >= encodings:
		return fmt.Errorf("wire encoding %d: want one below %d: %w", f.Encoding, encodings, job.ErrInvalid)
	case f.Encoding == TopK && !(f.Keep > 0 && f.Keep <= 1):
		return fmt.Errorf("wire_keep %v: want a fraction above 0 and at most 1: %w", f.Keep, job.ErrInvalid)
	case f.Encoding != TopK && f.Keep != 0:
		return fmt.Errorf("wire_keep %v: want it only with wire %s: %w", f.Keep, job.WireTopK, job.ErrInvalid)
	}
	return nil
}

// Lossy reports whether the format cannot write every float32.
func (f Format) Lossy() bool { return f.Encoding != Float32 }

// Partials returns the format of the partials of a job whose roots have format f.
func (f Format) Partials() Format {
	if f.Encoding == TopK {
		return Format{Encoding: Bfloat16}
	}
	return f
}

// Kept returns how many of n elements TopK keeps: keep·n in float64, rounded up.
func (f Format) Kept(n int) int { return min(n, int(math.Ceil(f.Keep*float64(n)))) }

// Size returns the largest number of bytes of the payload of n floats.
func (f Format) Size(n int) int {
	switch f.Encoding {
	case Bfloat16:
		return 2 * n
	case Int8:
		return n + 4*((n+numeric.Int8Block-1)/numeric.Int8Block)
	case TopK:
		return 8 * f.Kept(n)
	default:
		return 4 * n
	}
}

// Payload returns v as the format writes it. With Float32 on a little-endian machine, the
// result is the memory of v itself, so the caller must not write to it. Payload fails with
// job.ErrInvalid if v is not rounded to the format.
func (f Format) Payload(v []float32) ([]byte, error) {
	if f.Encoding == Float32 {
		return Bytes(v), nil
	}
	return f.appendPayload(make([]byte, 0, f.Size(len(v))), v)
}

func (f Format) appendPayload(dst []byte, v []float32) ([]byte, error) {
	switch f.Encoding {
	case Bfloat16:
		return appendBfloat16(dst, v)
	case Int8:
		return appendInt8(dst, v)
	case TopK:
		return f.appendTopK(dst, v)
	default:
		return AppendFloats(dst, v), nil
	}
}

// ReadPayload reads a payload of len(dst) floats into dst. It fails with job.ErrCorrupt if
// the format would not have written this payload.
func (f Format) ReadPayload(dst []float32, payload []byte) error {
	switch f.Encoding {
	case Bfloat16:
		return readBfloat16(dst, payload)
	case Int8:
		return readInt8(dst, payload)
	case TopK:
		return f.readTopK(dst, payload)
	default:
		if len(payload) != 4*len(dst) {
			return lengthError(len(payload), 4*len(dst))
		}
		Floats(dst, payload)
		return nil
	}
}

func lengthError(got, want int) error {
	return fmt.Errorf("%d bytes of floats, %d expected: %w", got, want, job.ErrCorrupt)
}

// unrounded returns the error for an element that the encoding cannot write.
func unrounded(i int, x float32, encoding string) error {
	return fmt.Errorf("element %d is %v (%08x): want it rounded to %s: %w", i, x, math.Float32bits(x), encoding, job.ErrInvalid)
}

func appendBfloat16(dst []byte, v []float32) ([]byte, error) {
	for i, x := range v {
		b := math.Float32bits(x)
		if b&0xffff != 0 || x != x && b != canonicalNaN {
			return nil, unrounded(i, x, "bfloat16")
		}
		dst = binary.LittleEndian.AppendUint16(dst, uint16(b>>16))
	}
	return dst, nil
}

// canonicalNaN is the only NaN in lossy payloads.
const canonicalNaN = 0x7fc00000

func readBfloat16(dst []float32, payload []byte) error {
	if len(payload) != 2*len(dst) {
		return lengthError(len(payload), 2*len(dst))
	}
	for i := range dst {
		x := math.Float32frombits(uint32(binary.LittleEndian.Uint16(payload[2*i:])) << 16)
		if x != x && math.Float32bits(x) != canonicalNaN {
			return fmt.Errorf("element %d is a NaN of bits %08x: want %08x: %w", i, math.Float32bits(x), canonicalNaN, job.ErrCorrupt)
		}
		dst[i] = x
	}
	return nil
}

func appendInt8(dst []byte, v []float32) ([]byte, error) {
	q, back := make([]int8, min(len(v), numeric.Int8Block)), make([]float32, min(len(v), numeric.Int8Block))
	for at := 0; at < len(v); at += numeric.Int8Block {
		block := v[at:min(len(v), at+numeric.Int8Block)]
		q, back := q[:len(block)], back[:len(block)]
		scale := numeric.BlockScale(block)
		numeric.ToInt8(q, block, scale)
		numeric.FromInt8(back, q, scale)
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(scale))
		for i, x := range block {
			if math.Float32bits(x) != math.Float32bits(back[i]) {
				return nil, unrounded(at+i, x, "int8")
			}
			dst = append(dst, byte(q[i]))
		}
	}
	return dst, nil
}

func readInt8(dst []float32, payload []byte) error {
	if want := (Format{Encoding: Int8}).Size(len(dst)); len(payload) != want {
		return lengthError(len(payload), want)
	}
	q := make([]int8, min(len(dst), numeric.Int8Block))
	for at := 0; at < len(dst); at += numeric.Int8Block {
		block := dst[at:min(len(dst), at+numeric.Int8Block)]
		q := q[:len(block)]
		bits := binary.LittleEndian.Uint32(payload)
		scale := math.Float32frombits(bits)
		for i := range q {
			q[i] = int8(payload[4+i])
		}
		numeric.FromInt8(block, q, scale)
		// The scale is right only if BlockScale computes the same from the elements. The
		// integers are right only if no smaller scale is enough.
		if got := numeric.BlockScale(block); math.Float32bits(got) != bits {
			return fmt.Errorf("the block from element %d has the scale %v (%08x), its elements %v: %w", at, scale, bits, got, job.ErrCorrupt)
		}
		for i, n := range q {
			if n == math.MinInt8 || n != 0 && !(scale > 0) {
				return fmt.Errorf("element %d is %d times %v: want -127 to 127, and 0 of no scale: %w", at+i, n, scale, job.ErrCorrupt)
			}
		}
		payload = payload[4+len(block):]
	}
	return nil
}

func (f Format) appendTopK(dst []byte, v []float32) ([]byte, error) {
	kept := f.Kept(len(v))
	for i, x := range v {
		if math.Float32bits(x) == 0 {
			continue
		}
		if kept--; kept < 0 {
			return nil, fmt.Errorf("more than %d of %d elements are not 0: want it rounded to topk: %w", f.Kept(len(v)), len(v), job.ErrInvalid)
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(i))
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(x))
	}
	return dst, nil
}

func (f Format) readTopK(dst []float32, payload []byte) error {
	if len(payload)%8 != 0 || len(payload) > f.Size(len(dst)) {
		return fmt.Errorf("%d bytes of elements: want 8 for each, at most %d: %w", len(payload), f.Size(len(dst)), job.ErrCorrupt)
	}
	clear(dst)
	for next := 0; len(payload) > 0; payload = payload[8:] {
		i, bits := binary.LittleEndian.Uint32(payload), binary.LittleEndian.Uint32(payload[4:])
		if uint64(i) >= uint64(len(dst)) || int(i) < next || bits == 0 {
			return fmt.Errorf("element %d of bits %08x: want indexes from %d to %d, increasing, and bits that are not 0: %w", i, bits, next, len(dst)-1, job.ErrCorrupt)
		}
		dst[i], next = math.Float32frombits(bits), int(i)+1
	}
	return nil
}
