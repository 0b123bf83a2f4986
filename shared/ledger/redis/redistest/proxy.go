package redistest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Proxy forwards commands from clients to a server and counts them, so that a test can cut
// a connection between any two commands of a pipeline. The commands before the cut take
// effect; those after it never reach the server. The proxy does not count the commands with
// which a client introduces itself or examines the server.
type Proxy struct {
	URL string // for clients

	t      testing.TB
	server string
	listen net.Listener

	mu    sync.Mutex
	conns map[net.Conn]bool
	seen  int  // commands since the last call of Cut
	k     int  // the command to cut at; 0: none
	after bool // the command takes effect and its reply is lost
	held  chan struct{}
}

// NewProxy starts a proxy that stops at the end of the test.
func NewProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	p := &Proxy{URL: "redis://" + l.Addr().String(), t: t, server: s.Addr, listen: l, conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		serving.Wait()
	})
	return p
}

// Cut makes the proxy cut the connection of the k-th command from now on (from 1), or of
// none if k is 0. It cuts before the command reaches the server, or, with after, when the
// command has taken effect and before the reply reaches the client.
func (p *Proxy) Cut(k int, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.k, p.after = 0, k, after
}

// Commands returns the number of commands since the last call of Cut, with those that come
// again after the cut.
func (p *Proxy) Commands() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// Hold delays all replies until the test calls release.
func (p *Proxy) Hold() (release func()) {
	held := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.held = nil
		close(held)
	}
}

func (p *Proxy) serve(serving *sync.WaitGroup) {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return // the test is over
		}
		serving.Go(func() { p.pass(client) })
	}
}

// keep records that a connection is open, or that it is closed.
func (p *Proxy) keep(c net.Conn, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if open {
		p.conns[c] = true
	} else {
		delete(p.conns, c)
		_ = c.Close()
	}
}

// pass serves one client until either side ends or the connection is cut.
func (p *Proxy) pass(client net.Conn) {
	p.keep(client, true)
	defer p.keep(client, false)
	var dial net.Dialer
	server, err := dial.DialContext(p.t.Context(), "tcp", p.server)
	if err != nil {
		return
	}
	p.keep(server, true)
	defer p.keep(server, false)
	commands, replies := bufio.NewReader(client), bufio.NewReader(server)
	for cut := false; !cut; {
		var batch []byte
		passed, answered := 0, 0
		if batch, passed, answered, cut, err = p.batch(commands); err != nil {
			return
		}
		if _, err := server.Write(batch); err != nil {
			return
		}
		batch = batch[:0]
		for i := range passed {
			end := len(batch)
			if batch, err = message(replies, batch); err != nil {
				return
			}
			if i >= answered {
				batch = batch[:end]
			}
		}
		p.wait()
		if _, err := client.Write(batch); err != nil {
			return
		}
	}
}

// batch reads the commands that a client has sent. It returns the commands to forward, how
// many they are, and how many of them the client gets answers for. cut reports whether the
// connection ends after them.
func (p *Proxy) batch(commands *bufio.Reader) (batch []byte, passed, answered int, cut bool, err error) {
	for {
		start := len(batch)
		if batch, err = message(commands, batch); err != nil {
			return nil, 0, 0, false, err
		}
		var after bool
		if cut, after = p.count(batch[start:]); !cut {
			passed, answered = passed+1, answered+1
			if commands.Buffered() > 0 {
				continue
			}
			return batch, passed, answered, false, nil
		}
		if after {
			return batch, passed + 1, answered, true, nil
		}
		return batch[:start], passed, answered, true, nil
	}
}

// wait returns when no reply is held back any more.
func (p *Proxy) wait() {
	p.mu.Lock()
	held := p.held
	p.mu.Unlock()
	if held != nil {
		<-held
	}
}

// uncounted are the commands with which a client introduces itself and examines the server.
var uncounted = map[string]bool{"hello": true, "client": true, "ping": true, "info": true, "config": true, "cluster": true}

// count counts a command and reports whether to cut its connection.
func (p *Proxy) count(command []byte) (cut, after bool) {
	if parts := bytes.SplitN(command, []byte("\r\n"), 4); len(parts) > 2 && uncounted[string(bytes.ToLower(parts[2]))] {
		return false, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	return p.seen == p.k, p.after
}

// message appends one whole message of the RESP protocol to dst.
func message(r *bufio.Reader, dst []byte) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return dst, err
	}
	if len(line) < 3 {
		return dst, errors.New("an empty line")
	}
	dst = append(dst, line...)
	parts := 1
	switch line[0] {
	case '%':
		parts = 2
	case '*', '~', '>':
	case '$', '=', '!':
		parts = 0
	default:
		return dst, nil
	}
	n, err := strconv.Atoi(string(line[1 : len(line)-2]))
	if err != nil {
		return dst, fmt.Errorf("length of %q: %w", line, err)
	}
	if parts == 0 && n >= 0 {
		start := len(dst)
		dst = append(dst, make([]byte, n+2)...)
		_, err := io.ReadFull(r, dst[start:])
		return dst, err
	}
	for range parts * n {
		if dst, err = message(r, dst); err != nil {
			return dst, err
		}
	}
	return dst, nil
}
