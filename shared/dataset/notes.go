package dataset

import "fmt"

// MaxNotes limits the notes of an answer. Further values are only counted.
const MaxNotes = 10

// Notes collects the values that the preprocessing meets in rows but that the training
// split did not have. A nil *Notes collects nothing.
type Notes struct {
	At Place // of the row that is being processed

	kept []note
	more int // values that are not in kept
}

// note describes one kind of surprise in one column.
type note struct {
	column *Column
	kind   surprise
	first  Value
	at     Place
	rows   int
}

// surprise is a kind of value that the training split did not have.
type surprise uint8

const (
	neverSeen surprise = iota // a category that the column does not have
	filledIn                  // a missing value; note.first replaces it
)

func (n *Notes) add(c *Column, kind surprise, v Value) {
	if n == nil {
		return
	}
	for i := range n.kept {
		if k := &n.kept[i]; k.column == c && k.kind == kind {
			k.rows++
			return
		}
	}
	if len(n.kept) == MaxNotes {
		n.more++
		return
	}
	v.text = cut(v.text) // v may refer to a buffer that is reused
	n.kept = append(n.kept, note{c, kind, v, n.At, 1})
}

// cut copies the beginning of a text, as much as a message shows.
func cut(s string) string { return fmt.Sprintf("%.100s", s) }

// List returns the notes as sentences, or nil if there are none.
func (n *Notes) List() []string {
	var out []string
	for _, k := range n.kept {
		where := fmt.Sprintf("in %s", k.at)
		if k.rows > 1 {
			where = fmt.Sprintf("in %d rows, first in %s", k.rows, k.at)
		}
		name := fmt.Sprintf("column %.80q", k.column.Name)
		switch k.kind {
		case neverSeen:
			out = append(out, fmt.Sprintf("%s: the model knows no category %s (%s): it was taken as none", name, k.first, where))
		case filledIn:
			out = append(out, fmt.Sprintf("%s: missing (%s): filled with %s, as in training", name, where, k.first))
		}
	}
	if n.more > 0 {
		out = append(out, fmt.Sprintf("%d more values of other columns that the training rows did not have", n.more))
	}
	return out
}
