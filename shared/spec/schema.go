package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	reflected "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tributary/shared/job"
	"tributary/shared/readable"
)

// compiled is the schema in its three forms.
type compiled struct {
	text    []byte             // the published text, with the rules of addRules
	root    node               // only the fields, to make sentences from
	checker *jsonschema.Schema // only the fields, to find faults with
}

// schema depends only on job.Spec, so making it fails always or never.
var schema = sync.OnceValue(func() *compiled {
	c, err := compile()
	if err != nil {
		panic(fmt.Sprintf("the schema of job.Spec: %v", err))
	}
	return c
})

// Schema returns the JSON Schema (2020-12) of a spec.
func Schema() []byte { return bytes.Clone(schema().text) }

func compile() (*compiled, error) {
	fields := generate()
	text, err := readable.JSON(fields)
	if err != nil {
		return nil, err
	}
	addRules(fields)
	published, err := readable.Indented(fields)
	if err != nil {
		return nil, err
	}
	// The generator's encoder escapes the descriptions for HTML; this undoes it.
	published = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(published)) + "\n")
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	checker, err := c.Compile(schemaURL)
	if err != nil {
		return nil, err
	}
	root, ok := doc.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is a %T", doc)
	}
	return &compiled{text: published, root: root, checker: checker}, nil
}

// schemaURL names the schema inside this process; no request is made.
const schemaURL = "mem:///spec.json"

// generate makes the schema from the types of package job.
func generate() *reflected.Schema {
	r := reflected.Reflector{
		Anonymous: true, ExpandedStruct: true, RequiredFromJSONSchemaTags: true,
		Mapper: mapped,
	}
	s := r.Reflect(job.Spec{})
	s.Title = "A Tributary job"
	one := uint64(1)
	for _, name := range []string{"Optimizer", "Layer"} { // exactly one kind
		s.Definitions[name].MinProperties, s.Definitions[name].MaxProperties = &one, &one
	}
	if label, ok := s.Definitions["Transform"].Properties.Get("label"); ok { // a label is a Scale, but allows only two of its words
		label.OneOf, label.Type, label.Enum = nil, "string", values([]string{"none", "standard"})
	}
	if c, ok := s.Definitions["Transform"].Properties.Get("categorical"); ok { // a whole number
		if n, ok := c.OneOf[1].Properties.Get("embed"); ok {
			n.Type, n.Minimum, n.Maximum = "integer", "1", json.Number(fmt.Sprint(job.MaxEmbed))
		}
	}
	inline := s.Definitions["Inline"].Properties // Go sees raw JSON here; package ingest checks its content
	for p := inline.Oldest(); p != nil; p = p.Next() {
		p.Value.Type, p.Value.MinItems = "array", &one
	}
	return s
}

// word is a string type with a fixed set of values.
type word interface{ Allowed() []string }

// choice is a type that is written as a word, or as an object with one number.
type choice interface {
	Allowed() (words []string, key string)
}

// numbers is a type that is written as a word, or as an object of numbers by name.
type numbers interface {
	Words() []string
	Numbers() (least, most float64, count int)
}

// sides is a type that is written as an integer, or as a list of two: height and width. It may
// also have words.
type sides interface{ Sides() (least, most int) }

// wordOrList is a type that is written as a word, or as a list of texts.
type wordOrList interface {
	AllowedLists() (words []string, most, length int)
}

// mapped returns the schema of a type whose values Allowed, Words or AllowedLists lists.
func mapped(t reflect.Type) *reflected.Schema {
	switch v := reflect.Zero(t).Interface().(type) {
	case word:
		return &reflected.Schema{Type: "string", Enum: values(v.Allowed())}
	case choice:
		words, key := v.Allowed()
		properties := reflected.NewProperties()
		properties.Set(key, &reflected.Schema{Type: "number"})
		return &reflected.Schema{
			OneOf: []*reflected.Schema{
				{Type: "string", Enum: values(words)},
				{Type: "object", Properties: properties, Required: []string{key}, AdditionalProperties: reflected.FalseSchema},
			},
			Default: words[0],
		}
	case interface {
		Bounds() (columns, characters int)
	}:
		columns, characters := v.Bounds()
		one, most, length := uint64(1), uint64(columns), uint64(characters)
		name := &reflected.Schema{Type: "string", MinLength: &one, MaxLength: &length}
		return &reflected.Schema{OneOf: []*reflected.Schema{
			name, {Type: "array", Items: name, MinItems: &one, MaxItems: &most},
		}}
	case sides:
		least, most := v.Sides()
		side := &reflected.Schema{Type: "integer", Minimum: exact(float64(least)), Maximum: exact(float64(most))}
		options := []*reflected.Schema{side, {Type: "array", Items: side, MinItems: pointer(2), MaxItems: pointer(2)}}
		if w, ok := v.(interface{ Words() []string }); ok {
			options = append([]*reflected.Schema{{Type: "string", Enum: values(w.Words())}}, options...)
		}
		return &reflected.Schema{OneOf: options}
	case numbers:
		least, most, count := v.Numbers()
		one, all := uint64(1), uint64(count)
		number := &reflected.Schema{Type: "number", Minimum: exact(least), Maximum: exact(most)}
		return &reflected.Schema{OneOf: []*reflected.Schema{
			{Type: "string", Enum: values(v.Words())},
			{Type: "object", AdditionalProperties: number, MinProperties: &one, MaxProperties: &all},
		}}
	case wordOrList:
		words, most, length := v.AllowedLists()
		return &reflected.Schema{OneOf: []*reflected.Schema{
			{Type: "string", Enum: values(words)},
			{Type: "array", Items: &reflected.Schema{Type: "string", MaxLength: pointer(length)}, MaxItems: pointer(most)},
		}}
	default:
		return nil
	}
}

// exact returns a number as JSON has it.
func exact(v float64) json.Number { return json.Number(strconv.FormatFloat(v, 'f', -1, 64)) }

func pointer(n int) *uint64 {
	u := uint64(n)
	return &u
}

func values(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}
