package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"tributary/shared/job"
)

// readable fails if this program cannot read plans of the version in data, or does not know
// what the plan needs. It runs before anything else is decoded, because unknown parts may
// have other types.
func readable(data []byte) error {
	var head struct {
		Version int `json:"version"`
	}
	var needs struct {
		Needs []job.Capability `json:"needs"`
	}
	switch err := json.Unmarshal(data, &head); {
	case err != nil:
		return fmt.Errorf("decode plan: %w: %w", err, job.ErrCorrupt)
	case head.Version < Version:
		return fmt.Errorf("plan has version %d; the first version is %d: %w", head.Version, Version, job.ErrCorrupt)
	case head.Version > versionOfNeeds:
		return fmt.Errorf("plan has version %d; this program reads versions up to %d: %w", head.Version, versionOfNeeds, job.ErrUnsupported)
	}
	if err := json.Unmarshal(data, &needs); err != nil {
		return fmt.Errorf("decode plan: %w: %w", err, job.ErrCorrupt)
	}
	return understood(head.Version, needs.Needs)
}

// known reports the first thing in the plan's bytes that this program does not know. It may
// be a key, such as a kind of layer or optimizer, or a word, such as a loss. The error
// wraps job.ErrUnsupported. The caller has already decoded the bytes into p without an
// error.
func (p *Plan) known(data []byte) error {
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if err := strict.Decode(new(Plan)); err != nil { // the only possible error is an unknown key
		return fmt.Errorf("%w: %w", err, job.ErrUnsupported)
	}
	s := &p.Spec
	words := []word{
		{"loss", string(s.Loss), s.Loss.Allowed()},
		{"wire", string(s.Wire), s.Wire.Allowed()},
		{"model.init.scheme", string(s.Model.Init.Scheme), s.Model.Init.Scheme.Allowed()},
	}
	for i, m := range s.Metrics {
		words = append(words, word{fmt.Sprintf("metrics[%d]", i), string(m), m.Allowed()})
	}
	for path, l := range s.Model.All() {
		words = append(words, word{path + ".activation", string(l.Activation), l.Activation.Allowed()})
		if name, d := l.Product(); d != nil {
			words = append(words, word{path + "." + name + ".activation", string(d.Activation), d.Activation.Allowed()})
		}
	}
	for _, w := range words {
		if w.value != "" && !slices.Contains(w.allowed, w.value) {
			return fmt.Errorf("spec.%s: %.40q: this program knows %q: %w", w.path, w.value, w.allowed, job.ErrUnsupported)
		}
	}
	return nil
}

// word is a word of a spec, with the words that this program knows in its place.
type word struct {
	path, value string
	allowed     []string
}
