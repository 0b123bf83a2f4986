// Package readable writes JSON for people: <, > and & are not escaped.
//
// It owns how answers, events, records and printed results are encoded. JSON that is
// digested is encoded elsewhere, next to the digest. Every package that shows JSON to
// people calls it.
//
// Invariant: it writes the same JSON value as encoding/json does.
package readable

import (
	"bytes"
	"encoding/json"
	"io"
)

// JSON returns the same as json.Marshal, without escapes for HTML.
func JSON(v any) ([]byte, error) { return encode(v, "") }

// Indented returns the same as json.MarshalIndent with two spaces, without escapes for
// HTML.
func Indented(v any) ([]byte, error) { return encode(v, "  ") }

// Print writes v as one line.
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
