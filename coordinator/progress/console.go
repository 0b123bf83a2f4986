package progress

import (
	"io"
	"os"

	"github.com/vbauerster/cupwriter"
)

// console returns the terminal to which the bar draws.
func console(w io.Writer) *cupwriter.Writer {
	c := cupwriter.New(margin{w}, true) // true: the caller has said that w is a terminal
	if f, ok := w.(*os.File); ok {
		c.SetTermFd(int(f.Fd())) // for the width
	}
	return c
}

// margin starts each write at the left edge. A terminal shows ^C at the cursor when a
// user presses it. The code that clears the bar does not clear what is left of the
// cursor.
type margin struct{ w io.Writer }

// Write implements io.Writer.
func (m margin) Write(p []byte) (int, error) {
	n, err := m.w.Write(append([]byte{'\r'}, p...))
	return max(0, n-1), err
}
