package spec

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"tributary/shared/hint"
	"tributary/shared/job"
)

// check reports in sentences where an instance violates the schema.
func check(instance map[string]any) error {
	err := schema().checker.Validate(instance)
	if err == nil {
		return nil
	}
	var top *jsonschema.ValidationError
	if !errors.As(err, &top) {
		return &job.Fault{Path: "spec", Sentence: err.Error()}
	}
	var found []*job.Fault
	collect(&found, instance, top)
	slices.SortFunc(found, func(a, b *job.Fault) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Sentence, b.Sentence)
	})
	found = slices.CompactFunc(found, func(a, b *job.Fault) bool { return *a == *b })
	faults := make([]error, 0, maxFaults+1)
	for i, f := range found {
		if i == maxFaults {
			faults = append(faults, &job.Fault{Path: "spec", Sentence: fmt.Sprintf("%d more faults", len(found)-i)})
			break
		}
		faults = append(faults, f)
	}
	return errors.Join(faults...)
}

// collect walks the validator's tree of causes. The alternatives of a oneOf are one
// fault, and its sentence names them all.
func collect(found *[]*job.Fault, instance any, e *jsonschema.ValidationError) {
	path, value := locate(instance, e.InstanceLocation)
	add := func(path, format string, args ...any) {
		if path == "" {
			path = "spec"
		}
		*found = append(*found, &job.Fault{Path: path, Sentence: fmt.Sprintf(format, args...)})
	}
	at := schema().root.at(e.SchemaURL)
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference:
		for _, cause := range e.Causes {
			collect(found, instance, cause)
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			add(field(path, name), "unknown field; allowed: %s%s", fieldList(at), hint.For(name, fields(at)))
		}
	case *kind.Required:
		for _, name := range k.Missing {
			add(field(path, name), "missing: want %s", want(at.property(name)))
		}
	case *kind.MinProperties, *kind.MaxProperties:
		add(path, "want exactly one of %s", fieldList(at))
	case *kind.UniqueItems:
		list, _ := value.([]any)
		add(element(path, k.Duplicates[1]), "%s: given twice", show(list[k.Duplicates[1]]))
	default: // a type, a range, a length, a word
		word, _ := value.(string)
		add(path, "%s: want %s%s", show(value), want(at), hint.For(word, wordsOf(at)))
	}
}

// locate returns the path and the value at a location in the instance.
func locate(instance any, location []string) (path string, value any) {
	value = instance
	for _, token := range location {
		switch v := value.(type) {
		case map[string]any:
			path, value = field(path, token), v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return path, nil
			}
			path, value = element(path, i), v[i]
		default:
			return path, nil
		}
	}
	return path, value
}
