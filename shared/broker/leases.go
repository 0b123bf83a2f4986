package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"tributary/shared/job"
)

// Leases grants the right to act for a key, to one owner at a time.
type Leases struct {
	c      *Conn
	bucket lazy[jetstream.KeyValue]

	mu     sync.Mutex
	owners map[string]bool // owners for which this connection answers the question whether they live
}

// Leases returns the leases.
func (c *Conn) Leases() *Leases {
	return &Leases{c: c, owners: map[string]bool{}, bucket: lazy[jetstream.KeyValue]{open: func(ctx context.Context) (jetstream.KeyValue, error) {
		return c.js.KeyValue(ctx, LeaseBucket)
	}}}
}

// claim is the stored value of a lease. Nonce distinguishes two claims of the same owner,
// so that the owner can recognize a write of its own whose confirmation was lost.
type claim struct {
	Owner string `json:"owner"`
	Nonce string `json:"nonce"`
	// Alive is the subject on which the owner answers while it is connected.
	Alive string `json:"alive,omitempty"`
}

// probeTimeout is the timeout for an owner's answer. An owner that does not answer in time
// keeps its lease until the lease ends by itself.
const probeTimeout = 200 * time.Millisecond

// Lease is the right to act for a key, until the channel Lost is closed. It renews itself
// until Release.
type Lease struct {
	key   string
	term  uint64
	ttl   time.Duration
	kv    jetstream.KeyValue
	value []byte
	lost  chan struct{}
	ended chan struct{} // closed when the renewing goroutine has ended
	stop  context.CancelFunc

	revision uint64 // of our last known write; only the renewing goroutine uses it until ended
}

// Acquire takes the lease of key. It fails with job.ErrConflict when another owner holds
// it. If the holder's connection is gone, Acquire takes the lease over: the server reports
// that nobody listens on the holder's subject. A holder that hangs keeps the lease until
// the bucket's TTL has passed. In both cases, the old holder may believe for a moment that
// it still holds the lease; the greater Term is right.
func (l *Leases) Acquire(ctx context.Context, key, owner string) (*Lease, error) {
	doing := fmt.Sprintf("acquire the lease of %.80s", key)
	kv, err := l.bucket.get(ctx)
	if err != nil {
		return nil, wrap(doing, err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return nil, wrap(doing, err)
	}
	alive, err := l.answer(owner)
	if err != nil {
		return nil, wrap(doing, err)
	}
	value, err := json.Marshal(claim{Owner: owner, Nonce: nuid.Next(), Alive: alive})
	if err != nil {
		return nil, wrap(doing, err)
	}
	sent := time.Now()
	revision, err := kv.Create(ctx, key, value)
	if errors.Is(err, jetstream.ErrKeyExists) {
		revision, err = l.takeOver(ctx, kv, key, value, err)
	}
	if err != nil {
		return nil, wrap(doing, err)
	}
	lease := &Lease{
		key: key, term: revision, revision: revision, ttl: status.TTL(), kv: kv, value: value,
		lost: make(chan struct{}), ended: make(chan struct{}),
	}
	if lease.ttl <= 0 {
		lease.ttl = DefaultLeaseTTL
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	lease.stop = stop
	go lease.keep(renewing, sent)
	return lease, nil
}

// Held reports whether an owner holds the lease of key. The bucket's leader answers: a
// replica may not know yet of a lease that was just taken.
func (l *Leases) Held(ctx context.Context, key string) (bool, error) {
	doing := fmt.Sprintf("check the lease of %.80s", key)
	js, err := l.c.nc.JetStream()
	if err != nil {
		return false, wrap(doing, err)
	}
	m, err := js.GetLastMsg("KV_"+LeaseBucket, "$KV."+LeaseBucket+"."+key, nats.Context(ctx))
	if errors.Is(err, nats.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, wrap(doing, err)
	}
	return m.Header.Get("KV-Operation") == "", nil // otherwise the lease was released
}

// answer subscribes to the owner's subject and answers on it as long as this connection
// lasts. The server learns of the subscription before any claim that is written later over
// the same connection.
func (l *Leases) answer(owner string) (subject string, err error) {
	subject = alivePrefix + token(owner)
	l.mu.Lock()
	known := l.owners[owner]
	l.owners[owner] = true
	l.mu.Unlock()
	if known {
		return subject, nil
	}
	_, err = l.c.nc.Subscribe(subject, func(m *nats.Msg) { _ = l.c.respond(m, &nats.Msg{}) }) // best effort: whoever gets no answer asks again
	if err != nil {
		l.mu.Lock()
		delete(l.owners, owner)
		l.mu.Unlock()
	}
	return subject, err
}

// takeOver takes over a lease whose holder is gone. held is the conflict error. If the
// holder lives, inherit fails with job.ErrConflict and names the holder.
func (l *Leases) takeOver(ctx context.Context, kv jetstream.KeyValue, key string, value []byte, held error) (revision uint64, err error) {
	e, err := kv.Get(ctx, key)
	if err != nil {
		return 0, held
	}
	var c claim
	if err := json.Unmarshal(e.Value(), &c); err != nil || c.Alive == "" || !l.c.gone(ctx, c.Alive) {
		return 0, fmt.Errorf("held by %.80s: %w", c.Owner, job.ErrConflict)
	}
	l.c.log.Info().Str("key", key).Str("from", c.Owner).Msg("taking over a lease; its holder is gone")
	return kv.Update(ctx, key, value, e.Revision())
}

// gone reports whether the server says that nobody listens on a subject.
func (c *Conn) gone(ctx context.Context, subject string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := c.nc.RequestWithContext(ctx, subject, nil)
	return errors.Is(err, nats.ErrNoResponders)
}

// Term returns a number for this holder of the key. A later holder has a greater one. So a
// store can refuse writes that carry an older term.
func (l *Lease) Term() uint64 { return l.term }

// Lost returns a channel that is closed when another owner may hold the lease: it was not
// renewed within its TTL, was taken over, or was released.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// keep renews the lease every third of its TTL. written is when the last successful write
// was sent, by this process's monotonic clock. The server's TTL starts at that time or
// later.
func (l *Lease) keep(ctx context.Context, written time.Time) {
	defer close(l.ended)
	defer close(l.lost)
	for {
		if pause(ctx, min(l.ttl/3, time.Until(written.Add(l.ttl)))) != nil {
			return
		}
		sent := time.Now()
		if sent.Sub(written) >= l.ttl {
			return
		}
		// An attempt that takes longer than the lease lasts is useless.
		attempt, cancel := context.WithDeadline(ctx, earlier(sent.Add(l.ttl/3), written.Add(l.ttl)))
		err := l.renew(attempt)
		cancel()
		switch {
		case err == nil:
			written = sent
		case errors.Is(err, job.ErrConflict):
			return
		}
	}
}

// renew writes the claim again. It fails with job.ErrConflict when another owner has the
// lease.
func (l *Lease) renew(ctx context.Context) error {
	revision, err := l.kv.Update(ctx, l.key, l.value, l.revision)
	if err == nil {
		l.revision = revision
		return nil
	}
	if err = classify(err); !errors.Is(err, job.ErrConflict) {
		return err
	}
	if lostErr := l.recover(ctx, err); lostErr != nil {
		return lostErr
	}
	l.revision, err = l.kv.Update(ctx, l.key, l.value, l.revision)
	return classify(err)
}

// recover checks, after a conflict, whether the stored claim is our own write, whose
// confirmation was lost. Then it takes the revision of that write. Otherwise it returns the
// conflict.
func (l *Lease) recover(ctx context.Context, conflict error) error {
	e, err := l.kv.Get(ctx, l.key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return conflict
	case err != nil:
		return err
	case !bytes.Equal(e.Value(), l.value):
		return conflict
	}
	l.revision = e.Revision()
	return nil
}

// Release releases the lease, so that others need not wait for its TTL. It may be called
// for a lost lease, and repeatedly.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.ended
	err := l.remove(ctx)
	if errors.Is(err, job.ErrConflict) {
		if l.recover(ctx, err) != nil {
			return nil //nolint:nilerr // another owner has it: there is nothing to release
		}
		err = l.remove(ctx)
	}
	return wrap("release the lease of "+l.key, err)
}

func (l *Lease) remove(ctx context.Context) error {
	return classify(l.kv.Delete(ctx, l.key, jetstream.LastRevision(l.revision)))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
