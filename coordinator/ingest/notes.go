package ingest

import "fmt"

// maxNotes bounds the columns that are named one by one.
const maxNotes = 10

// notes are what a person should know about columns: the first maxNotes, and how
// many more there are.
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

// sayAll says the notes; those are what the columns that are not named are.
func (in *Ingest) sayAll(n *notes, those string) {
	for _, s := range n.first {
		in.say("%s", s)
	}
	if n.more > 0 {
		in.say("%d more columns %s", n.more, those)
	}
}
