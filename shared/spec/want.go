package spec

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"tributary/shared/job"
	"tributary/shared/readable"
)

// The patterns of texts that are no names.
const (
	notBlank = `\S`
	hex64    = `^[0-9a-f]{64}$`
)

// node is a schema as decoded JSON.
type node map[string]any

// at resolves a location from the validator: a URL with a JSON pointer.
func (n node) at(location string) node {
	_, fragment, _ := strings.Cut(location, "#")
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	var here any = map[string]any(n)
	for token := range strings.SplitSeq(strings.TrimPrefix(fragment, "/"), "/") {
		if token == "" {
			continue
		}
		object, _ := here.(map[string]any)
		here = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
	}
	object, _ := here.(map[string]any)
	return object
}

// property returns the schema of a field.
func (n node) property(name string) node {
	properties, _ := n["properties"].(map[string]any)
	object, _ := properties[name].(map[string]any)
	return object
}

// fieldList names an object's fields.
func fieldList(n node) string {
	return strings.Join(fields(n), ", ")
}

func fields(n node) []string {
	properties, _ := n["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(properties))
}

// wordsOf lists the words that a schema allows, over all its alternatives.
func wordsOf(n node) []string {
	if ref, ok := n["$ref"].(string); ok {
		return wordsOf(schema().root.at(ref))
	}
	var out []string
	enum, _ := n["enum"].([]any)
	for _, w := range enum {
		out = append(out, fmt.Sprint(w))
	}
	alternatives, _ := n["oneOf"].([]any)
	for _, a := range alternatives {
		alternative, _ := a.(map[string]any)
		out = append(out, wordsOf(alternative)...)
	}
	return out
}

// want describes in words what a schema allows.
func want(n node) string {
	if ref, ok := n["$ref"].(string); ok {
		return want(schema().root.at(ref))
	}
	if enum, ok := n["enum"].([]any); ok {
		if len(enum) == 1 {
			return fmt.Sprint(enum[0])
		}
		return "one of " + words(enum)
	}
	if _, ok := n["oneOf"]; ok {
		return wantChoice(n)
	}
	switch n["type"] {
	case "integer":
		return "an integer" + bounds(n, "minimum", "maximum", "")
	case "number":
		return "a number" + bounds(n, "minimum", "maximum", "")
	case "string":
		switch n["pattern"] {
		case nil:
		case notBlank:
			return "a text that is not blank, of at most 65536 characters"
		case hex64:
			return "64 lower-case hexadecimal digits, in quotes"
		default:
			return job.IDRule
		}
		return "a text" + bounds(n, "minLength", "maxLength", " characters")
	case "array":
		return "a list" + bounds(n, "minItems", "maxItems", " elements")
	case "boolean":
		return "true or false"
	default:
		if n["minProperties"] != nil {
			return "exactly one of " + fieldList(n)
		}
		if _, byName := n["additionalProperties"].(map[string]any); byName {
			return "an object with a key for each column"
		}
		return "an object with the fields " + fieldList(n)
	}
}

// wantChoice describes a schema that allows a word, or an object with one number or with
// numbers by name.
func wantChoice(n node) string {
	var options []string
	alternatives, _ := n["oneOf"].([]any)
	for _, a := range alternatives {
		alternative, _ := a.(map[string]any)
		if enum, ok := alternative["enum"].([]any); ok {
			options = append(options, words(enum))
			continue
		}
		if kind := alternative["type"]; kind == "string" || kind == "array" || kind == "integer" {
			options = append(options, want(alternative))
			continue
		}
		if number, ok := alternative["additionalProperties"].(map[string]any); ok {
			options = append(options, fmt.Sprintf("{class: %s}", want(number)))
			continue
		}
		if alternative["type"] == "array" {
			options = append(options, "a list of texts")
			continue
		}
		options = append(options, fmt.Sprintf("{%s: number}", fieldList(alternative)))
	}
	return "one of " + strings.Join(options, ", ")
}

func words(enum []any) string {
	out := make([]string, len(enum))
	for i, w := range enum {
		out[i] = fmt.Sprint(w)
	}
	return strings.Join(out, ", ")
}

// bounds describes which numbers a schema's limits allow.
func bounds(n node, least, most, unit string) string {
	low, high := n[least], n[most]
	above, below := n["exclusiveMinimum"], n["exclusiveMaximum"]
	switch {
	case low != nil && high != nil:
		if unit != "" {
			return fmt.Sprintf(" of %v to %v%s", low, high, unit)
		}
		return fmt.Sprintf(" from %v to %v", low, high)
	case low != nil && below != nil:
		return fmt.Sprintf(" of at least %v and below %v", low, below)
	case above != nil && high != nil:
		return fmt.Sprintf(" above %v and at most %v", above, high)
	case low != nil && fmt.Sprint(low) == "1":
		return " of at least 1" + strings.TrimSuffix(unit, "s")
	case low != nil:
		return fmt.Sprintf(" of at least %v%s", low, unit)
	case high != nil:
		return fmt.Sprintf(" of at most %v%s", high, unit)
	default:
		return ""
	}
}

// show formats a value for a message.
func show(value any) string {
	switch v := value.(type) {
	case map[string]any:
		if text, err := readable.JSON(v); err == nil && len(text) <= 60 {
			return string(text)
		}
		return "an object"
	case []any:
		if len(v) == 0 {
			return "an empty list"
		}
		return fmt.Sprintf("a list of %d", len(v))
	case string:
		return fmt.Sprintf("%q", cut(v))
	case nil:
		return "null"
	default:
		return cut(fmt.Sprint(v))
	}
}
