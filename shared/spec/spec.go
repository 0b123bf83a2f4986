// Package spec reads the spec of a job. It turns YAML or JSON into a checked [job.Spec]
// with its defaults, or into one sentence for each fault.
//
// It owns the text formats, the JSON Schema (generated from the types of package job,
// their tags and words) and the canonical form. It does not open the files that a spec
// names and knows nothing about the data. The coordinator calls it for every submitted
// spec.
//
// Invariant: Decode returns within bounded time and memory for any input. A spec written
// as YAML and the same spec written as JSON have the same canonical digest.
package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"tributary/shared/job"
)

// The bounds of a spec's text. They are far larger than any spec without inline rows
// needs.
const (
	MaxBytes = 1 << 20 // of the text, and of the canonical form
	maxDepth = 32      // nesting depth of lists and objects
	maxList  = 4096    // elements of a list, except inline rows
	maxKeys  = 8192    // keys of all objects; the YAML parser takes quadratic time in them
)

// Decode reads a spec from YAML or JSON, fills in the defaults and checks it. The error
// joins all faults of one stage; each is a job.ErrInvalid. The first stage finds faults
// of the text. If there are none, the second stage finds unknown fields, wrong types and
// values out of range. If there are none of these, the third stage finds fields that do
// not fit each other.
func Decode(data []byte) (*job.Spec, error) {
	instance, err := parse(data)
	if err != nil {
		return nil, err
	}
	if err := check(instance); err != nil {
		return nil, err
	}
	text, err := json.Marshal(instance)
	if err != nil {
		return nil, &job.Fault{Path: "spec", Sentence: err.Error()}
	}
	if len(text) > MaxBytes {
		return nil, tooLong(len(text))
	}
	s := new(job.Spec)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, &job.Fault{Path: "spec", Sentence: err.Error()}
	}
	s.Default()
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// parse turns the text of a spec into the values that encoding/json would decode. Numbers
// are json.Number in one normal form.
func parse(data []byte) (map[string]any, error) {
	root, err := read(data)
	if err != nil {
		return nil, err
	}
	object, ok := root.(map[string]any)
	if !ok {
		return nil, &job.Fault{Path: "spec", Sentence: fmt.Sprintf("%s: want an object with the fields %s", show(root), fieldList(schema().root))}
	}
	return object, nil
}

// read is parse for any value.
func read(data []byte) (any, error) {
	if len(data) > MaxBytes {
		return nil, tooLong(len(data))
	}
	if !utf8.Valid(data) {
		return nil, &job.Fault{Path: "spec", Sentence: "the text is not UTF-8"}
	}
	var root any
	r := new(reader)
	if looksLikeJSON(data) {
		root = r.json(data)
	} else {
		root = r.yaml(data)
	}
	if err := errors.Join(r.faults...); err != nil {
		return nil, err
	}
	r.lists(root, top)
	return root, errors.Join(r.faults...)
}

func tooLong(n int) error {
	return &job.Fault{Path: "spec", Sentence: fmt.Sprintf("%d bytes: want at most %d (1 MiB); put the rows into a file and name it in data.source", n, MaxBytes)}
}

// reader collects the faults that are found while a text is read.
type reader struct {
	faults []error
	lost   bool // the rest of the text cannot be parsed
	keys   int  // keys of JSON objects read so far
	weight int  // YAML values made so far, plus the bytes of their text
}

func (r *reader) fault(at *place, format string, args ...any) {
	path := at.String()
	if path == "" {
		path = "spec"
	}
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, &job.Fault{Path: path, Sentence: fmt.Sprintf(format, args...)})
	}
}

// inlineRows are the paths of inline rows, in a spec and in an object that contains one.
var inlineRows = []string{"data.inline", "spec.data.inline"}

// lists refuses lists that are too long: a fault in each element would make the error too
// long. It does not check inline rows element by element.
func (r *reader) lists(value any, at *place) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if here := at.field(key); !slices.Contains(inlineRows, here.String()) {
				r.lists(v[key], here)
			}
		}
	case []any:
		if len(v) > maxList {
			r.fault(at, "a list of %d: want at most %d elements", len(v), maxList)
			return
		}
		for i, e := range v {
			r.lists(e, at.element(i))
		}
	}
}

// maxFaults bounds the number of faults in an error.
const maxFaults = 50
