package dataset

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Schema lists the fields of a sample, in order.
type Schema []Field

// Field is one named tensor of a sample. It has the same shape in all samples of a dataset.
//
// Ingest pads a shorter sample at its end. It pads an input with 0 and a masked target with
// [job.Ignored]. It never pads a window.
type Field struct {
	Name  string `json:"name"`
	DType DType  `json:"dtype"`
	Shape []int  `json:"shape,omitempty"` // row-major; a single number has none
	// Target marks a field that the loss compares with the outputs. A field without it is
	// an input.
	Target bool `json:"target,omitempty"`
	// Masked allows an int32 target to have elements that are [job.Ignored].
	Masked bool `json:"masked,omitempty"`
	// Window, if set, makes the samples of the field windows over a sequence.
	Window Window `json:"window,omitzero"`
}

// Window says where the samples of a field of Shape [L, …] are in a sequence. Sample i is
// the steps Offset+i·Stride … Offset+i·Stride+L−1. A step has the shape after L. A block
// stores its sequence once, and several fields may share it. For a language model over
// tokens, offset 0 gives the input x, and offset 1 gives the target y.
//
// Invariant: no window extends beyond its block.
type Window struct {
	Of     string `json:"of"` // the sequence's name; "" for a field that is stored by itself
	Offset int    `json:"offset,omitempty"`
	Stride int    `json:"stride"`
}

// DType is the type of a field's elements.
type DType string

// The types of elements.
const (
	Float32 DType = "float32"
	Int32   DType = "int32"
	Uint8   DType = "uint8"
)

// size returns the bytes of an element, or 0 for an unknown type.
func (d DType) size() int {
	switch d {
	case Float32, Int32:
		return 4
	case Uint8:
		return 1
	default:
		return 0
	}
}

// Limits of a schema, which is read back from blocks and manifests.
const (
	maxFields   = 64
	maxRank     = 8
	maxRowBytes = 64 << 20 // of all fields of a row; a block holds at least one row
)

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// Table returns the schema of a float table: the input x and the target y.
func Table(features, targets int) Schema {
	return Schema{
		{Name: "x", DType: Float32, Shape: []int{features}},
		{Name: "y", DType: Float32, Shape: []int{targets}, Target: true},
	}
}

// String lists the fields for a message, as "x float32 [784], y int32 []".
func (s Schema) String() string {
	fields := make([]string, len(s))
	for i, f := range s {
		fields[i] = fmt.Sprintf("%s %s %v", f.Name, f.DType, f.Shape)
	}
	return strings.Join(fields, ", ")
}

// Index returns the index of the field with this name, or −1.
func (s Schema) Index(name string) int {
	return slices.IndexFunc(s, func(f Field) bool { return f.Name == name })
}

// Equal reports whether both schemas have the same fields in the same order.
func (s Schema) Equal(o Schema) bool {
	return slices.EqualFunc(s, o, func(a, b Field) bool {
		return a.Name == b.Name && a.DType == b.DType && slices.Equal(a.Shape, b.Shape) &&
			a.Target == b.Target && a.Masked == b.Masked && a.Window == b.Window
	})
}

// check reports the first fault of a schema, without an error class. Only the caller knows
// whether a user or a damaged blob caused it.
func (s Schema) check() error {
	if len(s) < 1 || len(s) > maxFields {
		return fmt.Errorf("%d fields: want 1 to %d", len(s), maxFields)
	}
	sequences := map[string]*Field{}
	for i := range s {
		f := &s[i]
		if !namePattern.MatchString(f.Name) || s.Index(f.Name) != i {
			return fmt.Errorf("fields[%d]: name %.80q: want each once, 1 to 64 of A-Z a-z 0-9 _ . -", i, f.Name)
		}
		if err := f.check(); err != nil {
			return fmt.Errorf("field %q: %w", f.Name, err)
		}
		if f.Window.Of == "" {
			continue
		}
		first, ok := sequences[f.Window.Of]
		if !ok {
			sequences[f.Window.Of] = f
		} else if f.DType != first.DType || f.Window.Stride != first.Window.Stride || !slices.Equal(f.Shape[1:], first.Shape[1:]) {
			return fmt.Errorf("field %q: windows of stride %d over %q, of %s %v a step: want them as those of field %q: stride %d, %s %v",
				f.Name, f.Window.Stride, f.Window.Of, f.DType, f.Shape[1:], first.Name, first.Window.Stride, first.DType, first.Shape[1:])
		}
	}
	return s.layout().check()
}

func (f *Field) check() error {
	size := f.DType.size()
	if size == 0 {
		return fmt.Errorf("dtype %.40q: want %s, %s or %s", string(f.DType), Float32, Int32, Uint8)
	}
	if len(f.Shape) > maxRank {
		return fmt.Errorf("shape of %d dimensions: want at most %d", len(f.Shape), maxRank)
	}
	elements := 1
	for _, d := range f.Shape {
		if d < 1 || d > maxRowBytes/size/elements {
			return fmt.Errorf("shape %v: want dimensions of 1 or more and at most %d bytes", f.Shape, maxRowBytes)
		}
		elements *= d
	}
	if f.Masked && !(f.Target && f.DType == Int32) {
		return fmt.Errorf("masked: want it of an %s target alone", Int32)
	}
	return f.Window.check(len(f.Shape))
}

func (w Window) check(rank int) error {
	switch {
	case w == Window{}:
		return nil
	case !namePattern.MatchString(w.Of):
		return fmt.Errorf("window of %.80q: want the name of a sequence, 1 to 64 of A-Z a-z 0-9 _ . -", w.Of)
	case rank == 0:
		return fmt.Errorf("window of a single number: want a shape that begins with the window's length")
	case w.Offset < 0 || w.Offset > maxRowBytes:
		return fmt.Errorf("window.offset %d: want 0 to %d", w.Offset, maxRowBytes)
	case w.Stride < 1 || w.Stride > maxRowBytes:
		return fmt.Errorf("window.stride %d: want 1 to %d", w.Stride, maxRowBytes)
	default:
		return nil
	}
}

// Elements returns how many numbers the field has in a sample.
func (f *Field) Elements() int {
	n := 1
	for _, d := range f.Shape {
		n *= d
	}
	return n
}
