package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// How a request for a task waits at the server: it expires after pullExpires,
// and the server says every pullHeartbeat that it is still there.
const (
	pullExpires   = 20 * time.Second
	pullHeartbeat = time.Second
)

var errSilent = errors.New("the server says nothing about the request")

// pull asks for one message at a time over its own inbox.
//
// The client library's iterators are not used here: the channel of one that
// asks for one message at a time holds one, so that a heartbeat in the wrong
// moment makes it drop the task, to be delivered again only after its lease.
type pull struct {
	nc    *nats.Conn
	sub   *nats.Subscription
	to    string         // subject of requests
	msgs  chan *nats.Msg // tasks and statuses: one answer per request
	beats chan struct{}  // heartbeats

	mu        sync.Mutex
	abandoned bool
}

// newPull subscribes to a fresh inbox for the answers of a consumer.
func newPull(nc *nats.Conn, consumer string) (*pull, error) {
	p := &pull{
		nc:    nc,
		to:    "$JS.API.CONSUMER.MSG.NEXT." + TaskStream + "." + consumer,
		msgs:  make(chan *nats.Msg, 16),
		beats: make(chan struct{}, 1),
	}
	var err error
	p.sub, err = nc.Subscribe(nc.NewInbox(), p.receive)
	if err != nil {
		return nil, fmt.Errorf("open an inbox: %w", err)
	}
	return p, nil
}

// receive sorts what arrives. It never blocks.
func (p *pull) receive(m *nats.Msg) {
	status := m.Header.Get("Status")
	if len(m.Data) == 0 && status == "100" {
		select {
		case p.beats <- struct{}{}:
		default:
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.abandoned {
		select {
		case p.msgs <- m:
			return
		default:
		}
	}
	handBack(m)
}

// handBack returns a task nobody here waits for. Statuses have nowhere to go
// back to.
func handBack(m *nats.Msg) {
	if m.Reply != "" {
		_ = m.Nak() // best effort: otherwise its lease runs out
	}
}

// request is how a message is asked for.
type request struct {
	Batch     int           `json:"batch"`
	Expires   time.Duration `json:"expires,omitempty"`
	Heartbeat time.Duration `json:"idle_heartbeat,omitempty"`
	NoWait    bool          `json:"no_wait,omitempty"`
}

// one asks for a message and waits for it; nil means that none came before the
// request expired. After an error the pull must be abandoned.
func (p *pull) one(ctx context.Context) (*nats.Msg, error) {
	return p.ask(ctx, request{Batch: 1, Expires: pullExpires, Heartbeat: pullHeartbeat})
}

// now asks for a message that is there; nil means that none is. After an error the pull
// must be abandoned.
func (p *pull) now(ctx context.Context) (*nats.Msg, error) {
	return p.ask(ctx, request{Batch: 1, NoWait: true})
}

func (p *pull) ask(ctx context.Context, r request) (*nats.Msg, error) {
	request, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if err := p.nc.PublishRequest(p.to, p.sub.Subject, request); err != nil {
		return nil, fmt.Errorf("ask for a task: %w", err)
	}
	silence := time.NewTimer(2*pullHeartbeat + pullHeartbeat/2)
	defer silence.Stop()
	for {
		select {
		case m := <-p.msgs:
			return answer(m)
		case <-p.beats:
			silence.Reset(2*pullHeartbeat + pullHeartbeat/2)
		case <-silence.C:
			return nil, errSilent
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// answer tells a task from a status.
func answer(m *nats.Msg) (*nats.Msg, error) {
	switch status := m.Header.Get("Status"); {
	case status == "" || m.Reply != "":
		return m, nil
	case status == "408" || status == "404": // expired, nothing there
		return nil, nil
	default:
		return nil, fmt.Errorf("ask for a task: status %s %s", status, m.Header.Get("Description"))
	}
}

// abandon takes the request back: the server drops it with the inbox, and what
// is on its way is handed back when it arrives.
func (p *pull) abandon() {
	p.mu.Lock()
	p.abandoned = true
	for len(p.msgs) > 0 {
		handBack(<-p.msgs)
	}
	p.mu.Unlock()
	if err := p.sub.Drain(); err != nil {
		_ = p.sub.Unsubscribe() // not connected: the server forgets the inbox by itself
	}
}
