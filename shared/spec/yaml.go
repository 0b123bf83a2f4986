package spec

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"tributary/shared/job"
)

// yaml reads one YAML document.
func (r *reader) yaml(data []byte) any {
	file, err := parseYAML(string(data))
	if err != nil {
		r.faults = append(r.faults, err)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.DirectiveType:
		case body != nil:
			r.fault(top, "line %d: a second document begins; want one", lineOf(doc.Body))
			return nil
		default:
			body = doc.Body
		}
	}
	if body == nil {
		r.fault(top, "it is empty; want an object with the fields %s", fieldList(schema().root))
		return nil
	}
	c := converter{reader: r, anchors: map[string]anchored{}}
	return c.value(body, top, 0)
}

// parseYAML protects the parser: the parser takes quadratic time for some texts, and
// recurses as deep as the text is nested. If the parser panics, the text counts as
// invalid YAML.
func parseYAML(text string) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			file, err = nil, &job.Fault{Path: "spec", Sentence: "the YAML cannot be read"}
		}
	}()
	tokens := lexer.Tokenize(text)
	if err := limit(tokens); err != nil {
		return nil, err
	}
	file, err = parser.Parse(tokens, 0)
	if err == nil {
		return file, nil
	}
	sentence := "not YAML"
	if e := yaml.Error(nil); errors.As(err, &e) {
		if t := e.GetToken(); t != nil && t.Position != nil {
			sentence = fmt.Sprintf("line %d, column %d: not YAML", t.Position.Line, t.Position.Column)
		}
		sentence += ": " + cut(e.GetMessage())
	}
	return nil, &job.Fault{Path: "spec", Sentence: sentence}
}

// limit refuses tokens that would cost the parser too much time or stack.
func limit(tokens token.Tokens) error {
	depth, run, keys := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth, run = depth+1, run+1
		case token.SequenceEndType, token.MappingEndType:
			depth, run = depth-1, 0
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			run++
		case token.MappingValueType:
			keys, run = keys+1, run+1
		case token.InvalidType, token.CommentType:
		default:
			run = 0
		}
		sentence := ""
		switch {
		case depth > maxDepth || run > 2*maxDepth:
			sentence = fmt.Sprintf("lists and objects are nested more than %d deep", maxDepth)
		case keys > maxKeys:
			sentence = fmt.Sprintf("more than %d fields", maxKeys)
		default:
			continue
		}
		return &job.Fault{Path: "spec", Sentence: fmt.Sprintf("line %d: %s", t.Position.Line, sentence)}
	}
	return nil
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
