package spec

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// converter converts YAML nodes to JSON values.
type converter struct {
	*reader
	anchors map[string]anchored
}

// anchored is a value that aliases may repeat, and the weight of one repetition.
type anchored struct {
	value  any
	weight int
}

// maxWeight bounds the weight of all values when every alias is written out.
const maxWeight = 2 * MaxBytes

func (c *converter) value(n ast.Node, at *place, depth int) any {
	if c.stopped() {
		return nil
	}
	if depth > maxDepth {
		c.fault(at, "lists and objects are nested more than %d deep", maxDepth)
		return nil
	}
	c.weight++
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		return c.object(n.Values, at, depth)
	case *ast.MappingValueNode:
		return c.object([]*ast.MappingValueNode{n}, at, depth)
	case *ast.SequenceNode:
		list := make([]any, 0, len(n.Values))
		for i, v := range n.Values {
			list = append(list, c.value(v, at.element(i), depth+1))
		}
		return list
	case *ast.LiteralNode:
		return c.text(n.Value.Value)
	case *ast.StringNode:
		if t := n.Token.Type; t == token.SingleQuoteType || t == token.DoubleQuoteType {
			return c.text(n.Value)
		}
		return c.plain(at, c.text(n.Value))
	case *ast.AnchorNode:
		return c.anchor(n, at, depth)
	case *ast.AliasNode:
		return c.alias(n, at)
	case *ast.TagNode:
		c.fault(at, "line %d: tag %.40q: tags are not allowed", lineOf(n), n.GetToken().Value)
		return nil
	case ast.ScalarNode:
		return c.plain(at, c.text(n.GetToken().Value))
	default:
		c.fault(at, "line %d: want a value, not %s", lineOf(n), n.Type())
		return nil
	}
}

func (c *converter) text(s string) string {
	c.weight += len(s)
	return s
}

// object converts a mapping. The parser itself refuses duplicate keys, but only where it
// sees them.
func (c *converter) object(entries []*ast.MappingValueNode, at *place, depth int) any {
	object := make(map[string]any, len(entries))
	for _, e := range entries {
		key, ok := keyOf(e.Key)
		if !ok {
			c.fault(at, "line %d: key %.40q: want a name (a number in quotes)", lineOf(e.Key), e.Key.GetToken().Value)
			continue
		}
		if _, twice := object[key]; twice {
			c.fault(at.field(key), "line %d: given twice", lineOf(e.Key))
			continue
		}
		object[key] = c.value(e.Value, at.field(key), depth+1)
	}
	return object
}

// keyOf returns a key that is text. It returns false for numbers, merges (<<), lists and
// other keys.
func keyOf(n ast.Node) (string, bool) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		return "", false
	}
	if t := s.Token.Type; t == token.SingleQuoteType || t == token.DoubleQuoteType {
		return s.Value, true
	}
	text, ok := new(reader).plain(top, s.Value).(string)
	return text, ok
}

func (c *converter) anchor(n *ast.AnchorNode, at *place, depth int) any {
	before := c.weight
	value := c.value(n.Value, at, depth+1)
	if n.Name != nil {
		c.anchors[n.Name.GetToken().Value] = anchored{value, c.weight - before}
	}
	return value
}

func (c *converter) alias(n *ast.AliasNode, at *place) any {
	name := ""
	if n.Value != nil {
		name = n.Value.GetToken().Value
	}
	a, ok := c.anchors[name]
	if !ok {
		c.fault(at, "line %d: alias *%.40s: there is no such anchor before it", lineOf(n), name)
		return nil
	}
	if c.weight += a.weight; c.weight > maxWeight {
		c.weight = maxWeight // so that sums of it do not overflow
		c.fault(at, "line %d: alias *%.40s: with all aliases written out the spec is over %d bytes", lineOf(n), name, maxWeight)
		return nil
	}
	return a.value
}
