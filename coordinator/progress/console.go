package progress

import (
	"io"
	"os"

	"github.com/vbauerster/cupwriter"
)

// console returns the terminal as the bar draws on it.
func console(w io.Writer) *cupwriter.Writer {
	c := cupwriter.New(margin{w}, true) // true: the caller has said that w is a terminal
	if f, ok := w.(*os.File); ok {
		c.SetTermFd(int(f.Fd())) // for the width
	}
	return c
}

// margin begins each write at the left edge. A terminal shows ^C where the cursor stands when
// a person presses it. What clears the bar leaves everything left of the cursor as it is.
type margin struct{ w io.Writer }

// Write implements io.Writer.
func (m margin) Write(p []byte) (int, error) {
	n, err := m.w.Write(append([]byte{'\r'}, p...))
	return max(0, n-1), err
}
