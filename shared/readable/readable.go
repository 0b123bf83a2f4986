// Package readable is JSON as people read it: <, > and & stay as they are.
//
// It owns how answers, events, records and printed results are encoded. What digests are made of is
// encoded where the digest is made. Everything that people are shown calls it.
//
// Invariant: what it writes is the same JSON value as encoding/json writes.
package readable

import (
	"bytes"
	"encoding/json"
	"io"
)

// JSON is json.Marshal without escapes for HTML.
func JSON(v any) ([]byte, error) { return encode(v, "") }

// Indented is json.MarshalIndent with two spaces and without escapes for HTML.
func Indented(v any) ([]byte, error) { return encode(v, "  ") }

// Print writes v as a line.
func Print(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
