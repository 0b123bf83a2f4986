package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"tributary/coordinator/run"
	"tributary/shared/job"
)

// records simulates the jobs bucket.
type records struct {
	values   map[job.ID][]entry // oldest first; an empty entry is a removal
	revision uint64
}

type entry struct {
	data     []byte // nil: removed
	revision uint64
	at       time.Time
	decoded  job.Record // decoded data, for the checks; programs get their own copy
}

func (e entry) record() job.Record {
	var r job.Record
	if err := json.Unmarshal(e.data, &r); err != nil {
		panic(err) // the data was encoded here
	}
	return r
}

func (r *records) last(id job.ID, back int) (entry, bool) {
	all := r.values[id]
	if len(all) <= back || all[len(all)-1-back].data == nil {
		return entry{}, false
	}
	return all[len(all)-1-back], true
}

func (r *records) newest(id job.ID) (job.Record, bool) {
	e, ok := r.last(id, 0)
	if !ok {
		return job.Record{}, false
	}
	return e.decoded, true
}

// put stores a value and notifies the watchers. The caller holds the world's lock.
func (w *world) put(id job.ID, data []byte) uint64 {
	w.records.revision++
	e := entry{data: data, revision: w.records.revision, at: time.Now()}
	if data != nil {
		e.decoded = e.record()
	}
	w.records.values[id] = append(w.records.values[id], e)
	for _, watcher := range w.watchers {
		watcher.changed(id, w.records.revision)
	}
	return w.records.revision
}

// recordsPort is a process's connection to the records.
type recordsPort struct {
	p *process
	// master makes reads return what was written last. So a person's request that follows
	// another one is not answered from a replica that lags behind.
	master bool
}

func (r recordsPort) op(write bool, what string, id job.ID) operation {
	return operation{store: natsStore, name: what + " " + string(id), write: write}
}

func (r recordsPort) Create(ctx context.Context, rec job.Record) (uint64, error) {
	w := r.p.w
	return call(ctx, r.p, r.op(false, "create", rec.ID), func() (uint64, error) {
		if _, ok := w.records.last(rec.ID, 0); ok {
			return 0, job.ErrConflict
		}
		w.created(rec)
		return w.put(rec.ID, encoded(rec)), nil
	})
}

func encoded(r job.Record) []byte {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // JSON can hold every record
	}
	return data
}

// lag is the longest time that a replica of the bucket may lag behind.
const lag = 200 * time.Millisecond

// Record returns the same as Get, without the revision.
func (r recordsPort) Record(ctx context.Context, id job.ID) (job.Record, error) {
	rec, _, err := r.Get(ctx, id)
	return rec, err
}

// Get reads a record. Sometimes it returns the record before its last change.
func (r recordsPort) Get(ctx context.Context, id job.ID) (job.Record, uint64, error) {
	w := r.p.w
	op := r.op(false, "get", id)
	var revision uint64
	rec, err := call(ctx, r.p, op, func() (job.Record, error) {
		back := 0
		newest, ok := w.records.last(id, 0)
		lags := ok && !r.master && time.Since(newest.at) < lag && !w.calm
		if lags && w.random(fmt.Sprint("stale ", r.p.name, time.Since(w.began))).Float64() < w.swarm.stale {
			back = 1
			w.reached("a stale record is read")
		}
		e, ok := w.records.last(id, back)
		if !ok {
			e, ok = w.records.last(id, 0)
		}
		if !ok {
			return job.Record{}, fmt.Errorf("record %s: %w", id, job.ErrNotFound)
		}
		revision = e.revision
		return e.record(), nil
	})
	return rec, revision, err
}

func (r recordsPort) Update(ctx context.Context, rec job.Record, revision uint64) (uint64, error) {
	w := r.p.w
	data := encoded(rec)
	return call(ctx, r.p, r.op(true, "update", rec.ID), func() (uint64, error) {
		e, ok := w.records.last(rec.ID, 0)
		if !ok {
			return 0, fmt.Errorf("record %s: %w", rec.ID, job.ErrNotFound)
		}
		if e.revision != revision && !r.p.has(forcesRecords) {
			w.reached("two change a record at once, and one is refused")
			if e.decoded.Term > rec.Term {
				w.reached("a former owner's change is refused")
			}
			return 0, fmt.Errorf("record %s: %w", rec.ID, job.ErrConflict)
		}
		w.checkRecord(r.p, e.decoded, rec)
		return w.put(rec.ID, data), nil
	})
}

func (r recordsPort) Delete(ctx context.Context, id job.ID, revision uint64) error {
	w := r.p.w
	_, err := call(ctx, r.p, r.op(true, "remove", id), func() (struct{}, error) {
		e, ok := w.records.last(id, 0)
		switch {
		case !ok:
		case e.revision != revision:
			return struct{}{}, fmt.Errorf("record %s: %w", id, job.ErrConflict)
		default:
			w.reached("a job's record is removed")
			w.put(id, nil)
		}
		return struct{}{}, nil
	})
	return err
}

func (r recordsPort) All(ctx context.Context) iter.Seq2[job.Record, error] {
	return func(yield func(job.Record, error) bool) {
		all, err := r.list(ctx)
		for _, rec := range all {
			if !yield(rec, nil) {
				return
			}
		}
		if err != nil {
			yield(job.Record{}, err)
		}
	}
}

func (r recordsPort) list(ctx context.Context) ([]job.Record, error) {
	w := r.p.w
	return call(ctx, r.p, r.op(false, "list", ""), func() ([]job.Record, error) {
		var all []job.Record
		for _, plan := range w.swarm.jobs {
			if rec, ok := w.records.newest(plan.id); ok {
				all = append(all, rec)
			}
		}
		return all, nil
	})
}

// watcher is one process's watch over the records. The world's lock guards all fields
// except the channel.
type watcher struct {
	p    *process
	wake chan job.ID
}

// changed notifies the watcher of a change, unless the message is lost.
func (v *watcher) changed(id job.ID, revision uint64) {
	w := v.p.w
	r := w.random(fmt.Sprint("watch ", v.p.name, id, revision))
	if !w.calm && r.Float64() < w.swarm.deaf {
		return
	}
	d := w.swarm.latency(r)
	go w.after(d, func() { // outside the lock
		select {
		case v.wake <- id:
		default: // the watcher lists all records soon anyway
		}
	})
}

// relistEvery is how often all records are read again, as in the broker's watch.
const relistEvery = 15 * time.Second

func (r recordsPort) Watch(ctx context.Context, see func(job.Record)) error {
	w := r.p.w
	v := &watcher{p: r.p, wake: make(chan job.ID, 64)}
	w.locked(func() { w.watchers = append(w.watchers, v) })
	known := map[job.ID]uint64{}
	look := func(ids ...job.ID) {
		for _, id := range ids {
			w.mu.Lock()
			e, ok := w.records.last(id, 0)
			w.mu.Unlock()
			if ok && e.revision > known[id] {
				known[id] = e.revision
				see(e.record())
			}
		}
	}
	for first := true; ; first = false {
		var ids []job.ID
		if first {
			if err := r.p.pass(ctx, r.p.draw(r.op(false, "watch", "")).out); err != nil {
				return err
			}
			ids = w.ids()
		} else {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case id := <-v.wake:
				ids = []job.ID{id}
			case <-w.timer(relistEvery).C:
				ids = w.ids()
			}
		}
		if err := r.p.wake(); err != nil {
			return err
		}
		if r.p.cut(natsStore) != unreachable {
			look(ids...)
		}
	}
}

func (w *world) ids() []job.ID {
	ids := make([]job.ID, len(w.swarm.jobs))
	for i, p := range w.swarm.jobs {
		ids[i] = p.id
	}
	return ids
}

// leases simulates the leases bucket.
type leases struct {
	held    map[string]*claim
	term    uint64              // term of the newest claim
	granted map[uint64]*process // the process that a term was granted to
}

// claim is a lease as the server knows it.
type claim struct {
	owner *process
	nonce uint64 // its term; a renewal must know it
	ends  time.Time
}

// leasesPort is a process's connection to the leases.
type leasesPort struct{ p *process }

// free reports whether no process holds the key: the lease has expired, or the connection
// of its holder is gone. The caller holds w.mu.
func (w *world) free(key string) bool {
	c := w.leases.held[key]
	switch {
	case c == nil:
		return true
	case time.Now().After(c.ends):
		w.reached("a lease ends by itself")
		return true
	case c.owner.dead && w.swarm.inherits:
		w.reached("a dead owner's lease is taken over")
		return true
	}
	return false
}

func (l leasesPort) Acquire(ctx context.Context, key, _ string) (run.Lease, error) {
	w, p := l.p.w, l.p
	ttl := w.swarm.leaseTTL
	sent := time.Now()
	term, err := call(ctx, p, operation{store: natsStore, name: "acquire " + key, write: true}, func() (uint64, error) {
		if !w.free(key) && !p.has(ignoresLeases) {
			return 0, fmt.Errorf("lease %s: %w", key, job.ErrConflict)
		}
		if c := w.leases.held[key]; c != nil && c.owner != p {
			if !w.free(key) {
				w.wrong("%s holds the lease of %s, which is %s's", p.name, key, c.owner.name)
			}
			w.reached("another coordinator takes a job over")
		}
		w.leases.term++
		w.leases.granted[w.leases.term] = p
		w.leases.held[key] = &claim{owner: p, nonce: w.leases.term, ends: time.Now().Add(ttl)}
		if p.has(neverEndsLeases) {
			w.leases.held[key].ends = time.Now().Add(time.Hour)
		}
		return w.leases.term, nil
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	held := &lease{p: p, key: key, term: term, lost: make(chan struct{}), ended: make(chan struct{}), stop: stop}
	go held.keep(ctx, sent)
	return held, nil
}

// lease is a claim as its holder knows it.
type lease struct {
	p           *process
	key         string
	term        uint64
	lost, ended chan struct{}
	stop        context.CancelFunc
}

func (l *lease) Term() uint64          { return l.term }
func (l *lease) Lost() <-chan struct{} { return l.lost }

// mine returns the claim if it is still this one. The caller holds the world's lock.
func (l *lease) mine() *claim {
	if c := l.p.w.leases.held[l.key]; c != nil && c.nonce == l.term && !time.Now().After(c.ends) {
		return c
	}
	return nil
}

// keep renews the lease after each third of its length, as the broker does.
func (l *lease) keep(ctx context.Context, written time.Time) {
	defer close(l.ended)
	defer close(l.lost)
	ttl := l.p.w.swarm.leaseTTL
	for {
		if l.p.pass(ctx, max(0, min(ttl/3, time.Until(written.Add(ttl))))) != nil {
			return
		}
		sent := time.Now()
		if sent.Sub(written) >= ttl {
			l.p.w.locked(func() { l.p.w.reached("an owner finds out that its lease has ended") })
			return
		}
		attempt, cancel := context.WithTimeout(ctx, min(ttl/3, time.Until(written.Add(ttl))))
		_, err := call(attempt, l.p, operation{store: natsStore, name: "renew " + l.key}, func() (struct{}, error) {
			c := l.mine()
			if c == nil {
				return struct{}{}, job.ErrConflict
			}
			c.ends = time.Now().Add(ttl)
			return struct{}{}, nil
		})
		cancel()
		switch outcome(err) {
		case "ok":
			written = sent
		case "conflict", "dead":
			return
		}
	}
}

func (l *lease) Release(ctx context.Context) error {
	l.stop()
	<-l.ended
	_, err := call(ctx, l.p, operation{store: natsStore, name: "release " + l.key, write: true}, func() (struct{}, error) {
		if l.mine() != nil {
			delete(l.p.w.leases.held, l.key)
		}
		return struct{}{}, nil
	})
	return err
}

// alias returns this seed's name for a job's incarnation: the id and its number.
func (w *world) alias(ref job.Ref) string {
	if alias, ok := w.named.Load(ref.Run); ok {
		return alias.(string)
	}
	return string(ref.Job) + ".unknown"
}
