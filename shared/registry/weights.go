package registry

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"slices"

	"tributary/shared/model"
)

// maxFaults limits how many faults of a file one error reports.
const maxFaults = 10

// LoadWeights reads a safetensors file that has exactly the given tensors, in any order,
// into dst. It fails with job.ErrInvalid. The error names the tensors that are missing, not
// in the model, of another shape or not finite. After an error, the contents of dst are
// undefined.
func LoadWeights(data []byte, tensors []model.Tensor, dst model.Weights) error {
	return ReadWeights(bytes.NewReader(data), int64(len(data)), tensors, dst)
}

func notFinite(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }

// cover checks that the entries cover size bytes without holes or overlap.
func cover(entries map[string]entry, size uint64) error {
	names := slices.SortedFunc(maps.Keys(entries), func(a, b string) int {
		x, y := entries[a].Offsets, entries[b].Offsets
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), cmp.Compare(a, b))
	})
	at := uint64(0)
	for _, name := range names {
		o := entries[name].Offsets
		if o[0] != at {
			return malformed("tensor %.80q begins at %d, where the one before ends at %d", name, o[0], at)
		}
		at = o[1]
	}
	if at != size {
		return malformed("tensors end at %d, the file's data at %d", at, size)
	}
	return nil
}
