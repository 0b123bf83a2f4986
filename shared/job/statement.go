package job

import (
	"fmt"
	"strings"
)

// Ordered reports whether a statement says in which order its rows are.
func Ordered(statement string) bool {
	words := strings.Fields(strings.ToLower(plain(statement)))
	for i := 1; i < len(words); i++ {
		if words[i-1] == "order" && words[i] == "by" {
			return true
		}
	}
	return false
}

// CheckStatement refuses several statements, of which only one would give rows.
func CheckStatement(statement string) error {
	if first, rest, _ := strings.Cut(plain(statement), ";"); strings.TrimSpace(first) == "" || strings.Trim(rest, "; \t\r\n") != "" {
		return fmt.Errorf("want one statement, SELECT …: %w", ErrInvalid)
	}
	return nil
}

// plain returns a statement with blanks in place of its comments, strings and quoted names.
func plain(statement string) string {
	var out strings.Builder
	for at := 0; at < len(statement); {
		end := ""
		switch rest := statement[at:]; {
		case strings.HasPrefix(rest, "--"):
			end = "\n"
		case strings.HasPrefix(rest, "/*"):
			end = "*/"
		case rest[0] == '\'' || rest[0] == '"' || rest[0] == '`':
			end = rest[:1]
		case rest[0] == '[':
			end = "]"
		}
		if end == "" {
			out.WriteByte(statement[at])
			at++
			continue
		}
		out.WriteByte(' ')
		from := min(at+len(end), len(statement))
		if n := strings.Index(statement[from:], end); n >= 0 {
			at = from + n + len(end)
		} else {
			at = len(statement)
		}
	}
	return out.String()
}
