package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"tributary/shared/job"
)

// client uses the API as the nats CLI does, and counts commits.
type client struct {
	nc *nats.Conn

	mu      sync.Mutex
	only    job.ID // the job whose commits are counted; "" means every job
	commits []commit
}

// forged is a header that marks the notices that the tool forges. The tool ignores such
// notices; the programs do not read headers.
const forged = "Chaos-Forged"

// commit is the notice that so many steps are committed.
type commit struct {
	steps int64
	at    time.Time
}

func dial(address string) (*client, error) {
	nc, err := nats.Connect("nats://"+address, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.RetryOnFailedConnect(true))
	if err != nil {
		return nil, err
	}
	c := &client{nc: nc}
	_, err = nc.Subscribe("tributary.commit.*", func(m *nats.Msg) {
		var n struct {
			Job       job.ID `json:"job"`
			Committed int64  `json:"committed"`
		}
		if m.Header.Get(forged) != "" || json.Unmarshal(m.Data, &n) != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.only == "" || c.only == n.Job {
			c.commits = append(c.commits, commit{n.Committed, time.Now()})
		}
	})
	return c, err
}

// follow makes the client count the commits of only one job.
func (c *client) follow(id job.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.only = id
}

// steps returns how many steps are known to be committed.
func (c *client) steps() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := int64(0)
	if n := len(c.commits); n > 0 {
		last = c.commits[n-1].steps
	}
	return last
}

// total returns how many commit notices were received.
func (c *client) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.commits)
}

// ask repeats a request until a coordinator answers. It does not repeat a request that
// was refused.
func (c *client) ask(ctx context.Context, subject, body string, answer any) error {
	return c.askFor(ctx, 2*time.Second, subject, body, answer)
}

// askFor does what ask does, for a request whose answer may take a while.
func (c *client) askFor(ctx context.Context, patience time.Duration, subject, body string, answer any) error {
	for {
		m, err := c.nc.Request(subject, []byte(body), patience)
		if err == nil {
			switch code := m.Header.Get("Nats-Service-Error-Code"); code {
			case "":
				return json.Unmarshal(m.Data, answer)
			case "400", "404", "409":
				return refusal{code, subject + ": " + m.Header.Get("Nats-Service-Error")}
			default:
				err = errors.New(m.Header.Get("Nats-Service-Error"))
			}
		}
		if wait(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("%s: %w: %w", subject, ctx.Err(), err)
		}
	}
}

// refusal is an error answer that the same request would get again.
type refusal struct{ code, text string }

func (r refusal) Error() string { return r.text }

// refused reports whether a coordinator answered the request and refused it.
func refused(err error) bool {
	_, ok := errors.AsType[refusal](err)
	return ok
}

// missing reports whether err says that there is no such job.
func missing(err error) bool {
	r, ok := errors.AsType[refusal](err)
	return ok && r.code == "404"
}

// ended waits until a job is final and released.
func (c *client) ended(ctx context.Context, id job.ID) (job.Record, error) {
	for {
		var r job.Record
		if err := c.ask(ctx, "tributary.jobs.get", string(id), &r); err != nil {
			return r, err
		}
		if r.State.Final() && r.Released {
			return r, nil
		}
		if wait(ctx, 50*time.Millisecond) != nil {
			return r, fmt.Errorf("job %s is %s (%s) after %d steps: %w", id, r.State, r.Message, c.steps(), ctx.Err())
		}
	}
}

// verify makes a coordinator compute every step of a finished job again.
func (c *client) verify(ctx context.Context, id job.ID) error {
	body, err := json.Marshal(map[string]any{"id": id, "all": true, "wait": 50})
	if err != nil {
		return err
	}
	var v job.Verification
	if err := c.askFor(ctx, 55*time.Second, "tributary.jobs.verify", string(body), &v); err != nil {
		return err
	}
	switch {
	case v.Difference != nil:
		return fmt.Errorf("verify: %s", v.Difference.Message)
	case v.State != job.Verified || v.Compared != v.Committed:
		return fmt.Errorf("verify: the job is %s: %d of %d steps were compared", v.State, v.Compared, v.Committed)
	}
	return nil
}

// longest returns the longest time between two successive commits, and in redone the
// number of steps that the ledger lost and got again. The notice of one commit may arrive
// several times.
func (c *client) longest() (gap time.Duration, redone int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 1; i < len(c.commits); i++ {
		before, now := c.commits[i-1], c.commits[i]
		gap = max(gap, now.at.Sub(before.at))
		redone += max(0, before.steps-now.steps)
	}
	return gap, redone
}
