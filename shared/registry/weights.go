package registry

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/wire"
)

// maxFaults bounds how many faults of a file are told at once.
const maxFaults = 10

// LoadWeights reads a safetensors file that has exactly the given tensors, in
// any order, into dst [P]. It fails with job.ErrInvalid and names every tensor
// that is missing, not of the model, of another shape or not finite; dst is
// then unspecified.
func LoadWeights(data []byte, tensors []model.Tensor, dst []float32) error {
	entries, body, err := parse(data)
	if err != nil {
		return err
	}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, job.ErrInvalid)...))
	}
	for _, t := range tensors {
		e, ok := entries[t.Name]
		delete(entries, t.Name)
		switch {
		case !ok:
			fault("tensor %s %v is missing", t.Name, t.Shape)
		case !slices.Equal(e.Shape, t.Shape):
			fault("tensor %s has shape %v; the model's is %v", t.Name, e.Shape, t.Shape)
		case t.Offset < 0 || t.Len < 0 || t.Offset > len(dst)-t.Len || uint64(4*t.Len) != e.Offsets[1]-e.Offsets[0]:
			fault("tensor %s: elements %d to %d of %d parameters", t.Name, t.Offset, t.Offset+t.Len, len(dst))
		default:
			part := dst[t.Offset : t.Offset+t.Len]
			wire.Floats(part, body[e.Offsets[0]:e.Offsets[1]])
			if i := slices.IndexFunc(part, notFinite); i >= 0 {
				fault("tensor %s: element %d is %v", t.Name, i, part[i])
			}
		}
	}
	if len(entries) > 0 {
		names := slices.Sorted(maps.Keys(entries))
		more := ""
		if len(names) > maxFaults {
			more = fmt.Sprintf(" and %d more", len(names)-maxFaults)
			names = names[:maxFaults]
		}
		fault("the model has no tensor %.400q%s", strings.Join(names, ", "), more)
	}
	if len(faults) > maxFaults {
		faults = append(faults[:maxFaults], fmt.Errorf("and %d more faults", len(faults)-maxFaults))
	}
	return errors.Join(faults...)
}

func notFinite(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }

// cover tests that the entries cover size bytes without holes or overlap.
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
