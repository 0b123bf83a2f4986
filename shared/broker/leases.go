package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"tributary/shared/job"
)

// Leases hands out the right to act for a key, to one owner at a time.
type Leases struct {
	c      *Conn
	bucket lazy[jetstream.KeyValue]
}

// Leases returns the leases.
func (c *Conn) Leases() *Leases {
	return &Leases{c: c, bucket: lazy[jetstream.KeyValue]{open: func(ctx context.Context) (jetstream.KeyValue, error) {
		return c.js.KeyValue(ctx, LeaseBucket)
	}}}
}

// claim is a lease's value. Nonce tells two claims of one owner apart, so that
// a write whose confirmation was lost can be recognized.
type claim struct {
	Owner string `json:"owner"`
	Nonce string `json:"nonce"`
}

// Lease is the right to act for a key while Lost is open. It renews itself
// until Release.
type Lease struct {
	key   string
	term  uint64
	ttl   time.Duration
	kv    jetstream.KeyValue
	value []byte
	lost  chan struct{}
	ended chan struct{} // closed when the renewing goroutine is gone
	stop  context.CancelFunc

	revision uint64 // of the last write known to us; the renewing goroutine's until ended
}

// Acquire takes the lease of key, or fails with job.ErrConflict when somebody
// holds it. A lease of a holder that vanished can be taken once the bucket's
// TTL has passed.
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
	value, err := json.Marshal(claim{Owner: owner, Nonce: nuid.Next()})
	if err != nil {
		return nil, wrap(doing, err)
	}
	sent := time.Now()
	revision, err := kv.Create(ctx, key, value)
	if err != nil {
		return nil, wrap(doing, l.heldBy(ctx, kv, key, err))
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

// heldBy adds to a conflict who holds the lease.
func (l *Leases) heldBy(ctx context.Context, kv jetstream.KeyValue, key string, err error) error {
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return err
	}
	var c claim
	if e, getErr := kv.Get(ctx, key); getErr == nil && json.Unmarshal(e.Value(), &c) == nil {
		return fmt.Errorf("held by %.80s: %w", c.Owner, job.ErrConflict)
	}
	return err
}

// Term numbers the holders of a key: a later holder's term is greater. Writes
// that carry it can be fenced.
func (l *Lease) Term() uint64 { return l.term }

// Lost is closed when somebody else may hold the lease: it could not be
// renewed for its TTL, or was taken, or was released.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// keep renews the lease every third of its TTL. written is when the last write
// that succeeded was sent, by this process's monotonic clock: the server's TTL
// runs from no earlier.
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
		// An attempt that takes longer than the lease lasts is worth nothing.
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

// renew writes the claim again. It fails with job.ErrConflict when the lease
// is no longer ours.
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

// recover finds out, after a conflict, whether it was a write of our own that
// we had not heard of, and then learns its revision. Otherwise it returns the
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

// Release gives the lease up, so that others need not wait for its TTL. It may
// be called on a lost lease, and again.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.ended
	err := l.remove(ctx)
	if errors.Is(err, job.ErrConflict) {
		if l.recover(ctx, err) != nil {
			return nil //nolint:nilerr // not ours any more: there is nothing to give up
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
