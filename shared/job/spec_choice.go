package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Missing, Scale and Encoding are each written as one word, or as an object with one number.

// The words of Missing, Scale and Encoding, and the keys of their numbers.
const (
	missingKey = "constant"
	scaleKey   = "divide"
	embedKey   = "embed"
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

// Allowed lists the words, and the key of the number that may stand for them.
func (Encoding) Allowed() (words []string, key string) { return []string{OneHot}, embedKey }

// MarshalJSON writes the word or {"embed": n}; the zero value is "onehot".
func (e Encoding) MarshalJSON() ([]byte, error) {
	return marshalChoice(e.Method, OneHot, embedKey, float64(e.Embed))
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (e *Encoding) UnmarshalJSON(data []byte) error {
	words, key := e.Allowed()
	method, number, err := unmarshalChoice(data, words, key)
	if err != nil {
		return err
	}
	if n := int(number); method == key && (float64(n) != number || n < 1 || n > MaxEmbed) {
		return fmt.Errorf("%.40s: want {%s: n} with a whole number from 1 to %d: %w", data, key, MaxEmbed, ErrInvalid)
	}
	*e = Encoding{Method: method, Embed: int(number)}
	return nil
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
