package spec

import (
	"bytes"
	"encoding/json"
	"errors"
)

// looksLikeJSON reports whether a text is JSON and not YAML. YAML may begin with a brace
// too, but the first key of a JSON object is quoted.
func looksLikeJSON(data []byte) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return ok && (len(rest) == 0 || rest[0] == '"' || rest[0] == '}')
}

// json reads one JSON document.
func (r *reader) json(data []byte) any {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		line, column := position(data, len(data))
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			line, column = position(data, int(syntax.Offset)-1)
		}
		r.fault(top, "line %d, column %d: not JSON: %v", line, column, err)
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return r.jsonValue(d, top, 0)
}

// jsonValue reads the next value. The text is already known to be valid JSON.
func (r *reader) jsonValue(d *json.Decoder, at *place, depth int) any {
	token, err := d.Token()
	if err != nil {
		r.fault(at, "not JSON: %v", err)
		r.lost = true
		return nil
	}
	delim, ok := token.(json.Delim)
	if !ok {
		if n, ok := token.(json.Number); ok {
			return r.number(at, n.String())
		}
		return token
	}
	if depth == maxDepth {
		r.fault(at, "lists and objects are nested more than %d deep", maxDepth)
		r.lost = true
		return nil
	}
	if delim == '[' {
		return r.jsonList(d, at, depth)
	}
	return r.jsonObject(d, at, depth)
}

func (r *reader) jsonList(d *json.Decoder, at *place, depth int) any {
	list := []any{}
	for d.More() && !r.stopped() {
		list = append(list, r.jsonValue(d, at.element(len(list)), depth+1))
	}
	_, _ = d.Token() // the closing bracket; the text is known to be complete
	return list
}

func (r *reader) jsonObject(d *json.Decoder, at *place, depth int) any {
	object := map[string]any{}
	for d.More() && !r.stopped() {
		token, err := d.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			r.fault(at, "not JSON: key %v: %v", token, err)
			r.lost = true
			return nil
		}
		if r.keys++; r.keys > maxKeys {
			r.fault(top, "more than %d fields", maxKeys)
			r.lost = true
			return nil
		}
		value := r.jsonValue(d, at.field(key), depth+1)
		if _, twice := object[key]; twice {
			r.fault(at.field(key), "given twice")
		}
		object[key] = value
	}
	_, _ = d.Token() // the closing brace
	return object
}

// stopped reports whether reading must stop: there are enough faults, or the rest cannot
// be parsed.
func (r *reader) stopped() bool { return r.lost || len(r.faults) >= maxFaults }

// position converts an offset to a line and a column. Both count from 1; columns count
// runes.
func position(data []byte, offset int) (line, column int) {
	before := data[:min(max(offset, 0), len(data))]
	line = 1 + bytes.Count(before, []byte("\n"))
	last := before[bytes.LastIndexByte(before, '\n')+1:]
	return line, 1 + len(bytes.Runes(last))
}
