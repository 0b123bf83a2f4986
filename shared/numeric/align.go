package numeric

import "unsafe"

// alignment is that of the widest load whose position can matter, in bytes.
const alignment = 64

// Aligned returns n zeros that begin on a 64-byte boundary. gonum's SSE dot
// product, which its Sgemm runs on when the right factor is transposed, sums
// the elements before a 16-byte boundary of that factor apart from the rest:
// the bits of the result depend on where in memory the factor lies. A right
// factor must therefore lie where every process has it.
func Aligned(n int) []float32 {
	buf := make([]float32, n+alignment/4-1)
	skip := 0
	if over := address(buf) % alignment; over > 0 {
		skip = int(alignment-over) / 4
	}
	return buf[skip : skip+n : skip+n]
}

// IsAligned reports whether v begins on a 16-byte boundary, as every larger
// slice from make does.
func IsAligned(v []float32) bool { return address(v)%16 == 0 }

func address(v []float32) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(v))) }
