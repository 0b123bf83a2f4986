package spec

import (
	"regexp"
	"strconv"
)

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// field returns the path of an object's field.
func field(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return path + "[" + strconv.Quote(cut(key)) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

// element returns the path of a list's element.
func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// place is the position of a value in a spec. It becomes a path only when the path is
// needed, because a spec may hold a hundred thousand numbers.
type place struct {
	parent *place
	key    string
	index  int // index of a list's element, if key is ""; -1 for a field with an empty name
}

// top is the place of the whole spec.
var top = (*place)(nil)

func (p *place) field(key string) *place {
	if key == "" {
		return &place{parent: p, index: -1}
	}
	return &place{parent: p, key: key}
}

func (p *place) element(i int) *place { return &place{parent: p, index: i} }

func (p *place) String() string {
	switch {
	case p == nil:
		return ""
	case p.key != "" || p.index < 0:
		return field(p.parent.String(), p.key)
	default:
		return element(p.parent.String(), p.index)
	}
}

// cut shortens a text for a message.
func cut(s string) string {
	const most = 80
	runes := 0
	for i := range s {
		if runes == most {
			return s[:i] + "…"
		}
		runes++
	}
	return s
}
