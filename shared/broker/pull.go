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

// Timeouts of a request for a task at the server: it expires after pullExpires, and the
// server reports every pullHeartbeat that it is still waiting.
const (
	pullExpires   = 20 * time.Second
	pullHeartbeat = time.Second
)

var errSilent = errors.New("the server does not answer the request")

// pull requests one message at a time, with its own inbox for the answers.
//
// It does not use the client library's iterators. An iterator that requests one message at
// a time has a channel for one message, so a heartbeat at the wrong moment makes it drop
// the task. The server would deliver that task again only after its lease.
type pull struct {
	nc    *nats.Conn
	sub   *nats.Subscription
	to    string         // subject of requests
	msgs  chan *nats.Msg // tasks and statuses: one answer for each request
	beats chan struct{}  // heartbeats

	mu        sync.Mutex
	abandoned bool
}

// newPull subscribes to a new inbox for the answers of a consumer.
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

// receive passes an arriving message to msgs or beats. It never blocks.
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

// handBack returns a task to the queue when nobody here waits for it. It ignores statuses,
// which have no reply subject.
func handBack(m *nats.Msg) {
	if m.Reply != "" {
		_ = m.Nak() // best effort: if it fails, the lease ends by itself
	}
}

// request is the body of a request for a message.
type request struct {
	Batch     int           `json:"batch"`
	Expires   time.Duration `json:"expires,omitempty"`
	Heartbeat time.Duration `json:"idle_heartbeat,omitempty"`
	NoWait    bool          `json:"no_wait,omitempty"`
}

// one requests a message and waits for it. It returns nil when none comes before the
// request expires. After an error, the caller must abandon the pull.
func (p *pull) one(ctx context.Context) (*nats.Msg, error) {
	return p.ask(ctx, request{Batch: 1, Expires: pullExpires, Heartbeat: pullHeartbeat})
}

// now requests a message that is available at once. It returns nil when there is none.
// After an error, the caller must abandon the pull.
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

// answer returns m if it is a task, nil if its status says that there is no task, and an
// error for any other status.
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

// abandon withdraws the request: the server drops it together with the inbox. A task that
// is in flight goes back to the queue when it arrives.
func (p *pull) abandon() {
	p.mu.Lock()
	p.abandoned = true
	for len(p.msgs) > 0 {
		handBack(<-p.msgs)
	}
	p.mu.Unlock()
	if err := p.sub.Drain(); err != nil {
		_ = p.sub.Unsubscribe() // no connection: the server then drops the inbox by itself
	}
}
