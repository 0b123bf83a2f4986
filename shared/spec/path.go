package spec

import (
	"regexp"
	"strconv"
)

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// field is the path of an object's field.
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

// element is the path of a list's element.
func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

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
