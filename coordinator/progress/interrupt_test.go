package progress

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// terminal shows what the program writes and what a user types.
type terminal struct {
	mu    sync.Mutex
	lines [][]byte
	at    int           // the cursor's column, in the last line
	wrote chan struct{} // one for each write, dropped if no test waits
}

func newTerminal() *terminal {
	return &terminal{lines: [][]byte{nil}, wrote: make(chan struct{}, 1)}
}

// Write implements io.Writer for the control codes that a bar uses.
func (m *terminal) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.show(p)
	select {
	case m.wrote <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (m *terminal) show(p []byte) {
	for len(p) > 0 {
		last := &m.lines[len(m.lines)-1]
		switch {
		case bytes.HasPrefix(p, []byte("\x1b[J")): // clear from the cursor on
			*last = (*last)[:min(m.at, len(*last))]
			p = p[3:]
		case p[0] == 0x1b:
			var up int
			if _, err := fmt.Sscanf(string(p), "\x1b[%dA", &up); err != nil {
				panic(err)
			}
			m.lines = m.lines[:len(m.lines)-up] // what is below is cleared next
			p = p[bytes.IndexByte(p, 'A')+1:]
		case p[0] == '\n':
			m.lines, m.at, p = append(m.lines, nil), 0, p[1:]
		case p[0] == '\r':
			m.at, p = 0, p[1:]
		default:
			for len(*last) <= m.at {
				*last = append(*last, ' ')
			}
			(*last)[m.at] = p[0]
			m.at, p = m.at+1, p[1:]
		}
	}
}

// typed shows what a user types.
func (m *terminal) typed(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.show([]byte(s))
}

func (m *terminal) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(bytes.Join(m.lines, []byte("\n")))
}

// ^C on the terminal does not garble the bar.
func TestInterruptedBar(t *testing.T) {
	m := newTerminal()
	d := New(m, true)
	d.Update(state(100, 0.125))
	for !strings.Contains(m.String(), "samples/s") {
		<-m.wrote
	}
	m.typed("^C")
	d.Log("job line was cancelled")
	d.Update(state(101, 0.125))
	d.Done()
	lines := strings.Split(m.String(), "\n")
	require.Equal(t, "job line was cancelled", lines[0])
	require.Regexp(t, `^running 101/400 \[`, lines[1])
	require.Regexp(t, `^loss 0.1250`, lines[2])
	require.NotContains(t, m.String(), "^C")
}
