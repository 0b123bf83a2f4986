package registry

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/wire"
)

// The safetensors format (github.com/huggingface/safetensors, "Format"),
// little-endian:
//
//	0    n, length of the header            uint64
//	8    header, padded with spaces         n bytes of JSON
//	8+n  the tensors' elements, row-major, without holes or overlap
//
// The header maps each name to {"dtype","shape","data_offsets":[begin,end]},
// offsets counted from 8+n, and "__metadata__" to a map of strings.
const (
	maxHeader  = 16 << 20 // bytes
	maxTensors = 1 << 16
	maxRank    = 8
	metadata   = "__metadata__"
	float32s   = "F32"
)

// entry describes one tensor of a file.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets []uint64 `json:"data_offsets"` // [begin, end]
}

// EncodeWeights returns weights as a safetensors file with the given tensors, which must be
// views of weights in declared order. The same arguments give the same bytes.
func EncodeWeights(tensors []model.Tensor, weights model.Weights) ([]byte, error) {
	// PyTorch's loaders look for "format": "pt".
	header := []byte(`{"` + metadata + `":{"format":"pt"}`)
	size := 0
	for _, t := range tensors {
		if !weights.Has(t) {
			return nil, fmt.Errorf("tensor %q: elements %d to %d of %d parameters and %d frozen ones", t.Name, t.Offset, t.Offset+t.Len, len(weights.Trained), len(weights.Frozen))
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		value, err := json.Marshal(entry{float32s, t.Shape, []uint64{uint64(size), uint64(size + 4*t.Len)}})
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		header = append(append(append(append(header, ','), name...), ':'), value...)
		size += 4 * t.Len
	}
	header = append(header, '}')
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	out := make([]byte, 0, 8+len(header)+size)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(header)))
	out = append(out, header...)
	for _, t := range tensors {
		out = wire.AppendFloats(out, t.File(weights.Of(t)))
	}
	return out, nil
}

// parseHeader reads the JSON of a header. Like the format, it refuses duplicate names,
// unknown fields, and anything except spaces after the end.
func parseHeader(header []byte) (map[string]entry, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, malformed("header does not begin with '{'")
	}
	d := json.NewDecoder(bytes.NewReader(header))
	d.DisallowUnknownFields()
	if _, err := d.Token(); err != nil {
		return nil, malformed("header: %v", err)
	}
	entries := make(map[string]entry)
	described := false
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, malformed("header: %v", err)
		}
		name, _ := token.(string)
		if name == metadata {
			if described {
				return nil, malformed("header has two %s", metadata)
			}
			described = true
			var m map[string]string
			if err := d.Decode(&m); err != nil {
				return nil, malformed("%s: %v", metadata, err)
			}
			continue
		}
		if _, twice := entries[name]; twice {
			return nil, malformed("tensor %.80q is given twice", name)
		}
		if len(entries) == maxTensors {
			return nil, malformed("more than %d tensors", maxTensors)
		}
		var e entry
		if err := d.Decode(&e); err != nil {
			return nil, malformed("tensor %.80q: %v", name, err)
		}
		if err := e.check(name); err != nil {
			return nil, err
		}
		entries[name] = e
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed("header: %v", err)
	}
	if rest := bytes.TrimRight(header[d.InputOffset():], " "); len(rest) > 0 {
		return nil, malformed("header ends with %.20q", rest)
	}
	return entries, nil
}

// check checks that dtype, shape and offsets fit together.
func (e entry) check(name string) error {
	if e.DType != float32s {
		return malformed("tensor %.80q has dtype %.20q; only F32 is read: convert it with .float() before saving", name, e.DType)
	}
	if e.Shape == nil || len(e.Offsets) != 2 {
		return malformed("tensor %.80q needs a shape and two data_offsets", name)
	}
	if len(e.Shape) > maxRank {
		return malformed("tensor %.80q has %d dimensions; at most %d are read", name, len(e.Shape), maxRank)
	}
	bytes := uint64(4)
	for _, n := range e.Shape {
		if n < 0 || n > math.MaxInt32 || n > 0 && bytes > math.MaxInt64/uint64(n) {
			return malformed("tensor %.80q has impossible shape %v", name, e.Shape)
		}
		bytes *= uint64(n)
	}
	if e.Offsets[0] > e.Offsets[1] || e.Offsets[1]-e.Offsets[0] != bytes {
		return malformed("tensor %.80q of shape %v has %d bytes, its data_offsets are %d to %d", name, e.Shape, bytes, e.Offsets[0], e.Offsets[1])
	}
	return nil
}

// malformed returns the error for a file that is not a safetensors file that this program
// reads. It wraps job.ErrInvalid.
func malformed(format string, args ...any) error {
	return fmt.Errorf("safetensors: %s: %w", fmt.Sprintf(format, args...), job.ErrInvalid)
}
