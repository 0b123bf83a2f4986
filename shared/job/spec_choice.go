package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Missing and Scale are each written as one word, or as an object with one number.

// The words of Missing and Scale, and the keys of their numbers.
const (
	missingKey = "constant"
	scaleKey   = "divide"
)

// Allowed lists the words, and the key of the number that may stand for them.
func (Missing) Allowed() (words []string, key string) {
	return []string{"drop", "mean", "median"}, missingKey
}

// Allowed lists the words, and the key of the number that may stand for them.
func (Scale) Allowed() (words []string, key string) {
	return []string{"none", "standard", "minmax"}, scaleKey
}

// MarshalJSON writes the word or {"constant": v}; the zero value is "drop".
func (m Missing) MarshalJSON() ([]byte, error) {
	return marshalChoice(m.Method, "drop", missingKey, m.Constant)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (m *Missing) UnmarshalJSON(data []byte) error {
	words, key := m.Allowed()
	method, number, err := unmarshalChoice(data, words, key)
	if err == nil {
		*m = Missing{Method: method, Constant: number}
	}
	return err
}

// MarshalJSON writes the word or {"divide": v}; the zero value is "none".
func (s Scale) MarshalJSON() ([]byte, error) {
	return marshalChoice(s.Method, "none", scaleKey, s.Divide)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (s *Scale) UnmarshalJSON(data []byte) error {
	words, key := s.Allowed()
	method, number, err := unmarshalChoice(data, words, key)
	if err == nil {
		*s = Scale{Method: method, Divide: number}
	}
	return err
}

func marshalChoice(method, zero, key string, number float64) ([]byte, error) {
	switch method {
	case key:
		return json.Marshal(map[string]float64{key: number})
	case "":
		return json.Marshal(zero)
	default:
		return json.Marshal(method)
	}
}

func unmarshalChoice(data []byte, words []string, key string) (method string, number float64, err error) {
	if err := json.Unmarshal(data, &method); err == nil && slices.Contains(words, method) {
		return method, 0, nil
	}
	var object map[string]*float64
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&object); err != nil || len(object) != 1 || object[key] == nil {
		return "", 0, fmt.Errorf("%.40s: want one of %q or {%s: number}: %w", data, words, key, ErrInvalid)
	}
	return key, *object[key], nil
}
