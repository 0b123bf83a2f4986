package ingest

import "fmt"

// maxNotes is the maximum number of columns that are named one by one.
const maxNotes = 10

// notes collects messages about columns for the user: the first maxNotes, and the number
// of the others.
type notes struct {
	first []string
	more  int
}

func (n *notes) add(format string, args ...any) {
	if len(n.first) == maxNotes {
		n.more++
		return
	}
	n.first = append(n.first, fmt.Sprintf(format, args...))
}

// sayAll reports the notes; those describes the columns that are not named.
func (in *Ingest) sayAll(n *notes, those string) {
	for _, s := range n.first {
		in.say("%s", s)
	}
	if n.more > 0 {
		in.say("%d more columns %s", n.more, those)
	}
}
