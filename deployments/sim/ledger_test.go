package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/memory"
	"tributary/shared/tree"
)

// ledgers is the ledger's server. It keeps what it holds and every write that led there,
// so that it can go back to an older copy of itself.
type ledgers struct {
	now     *memory.Ledger
	writes  []func(*memory.Ledger)
	losses  int              // how often it was wiped or restored to an older copy
	deleted map[job.Ref]bool // jobs whose training state was deleted
	refuses time.Time        // it refuses writes until this time
	// stored has the partials and roots that arrived since the last loss, by task.
	stored map[string]bool
}

func newLedgers() *ledgers {
	return &ledgers{now: memory.New(), stored: map[string]bool{}, deleted: map[job.Ref]bool{}}
}

// restore sets the ledger back to its state after its first n writes.
func (l *ledgers) restore(n int) {
	l.now, l.writes, l.stored = memory.New(), l.writes[:n:n], map[string]bool{}
	l.losses++
	for _, write := range l.writes {
		write(l.now)
	}
}

// ledgerPort is a process's connection to the ledger.
type ledgerPort struct {
	p *process
}

var _ ledger.Ledger = ledgerPort{}

// read and write name operations by this seed's name for the job, because its real run is
// random.
func (l ledgerPort) read(lay ledger.Layout, format string, args ...any) operation {
	return operation{store: ledgerStore, name: fmt.Sprintf(format, args...) + " of " + l.p.w.alias(lay.Ref)}
}

func (l ledgerPort) write(lay ledger.Layout, format string, args ...any) operation {
	op := l.read(lay, format, args...)
	op.write = true
	return op
}

// followed is what a call returns in addition to a chain.
type followed[T any] struct {
	value T
	chain ledger.Chain
}

// key returns the layout under which the job's training state is stored.
func (l ledgerPort) key(lay ledger.Layout) ledger.Layout {
	if l.p.has(ignoresRuns) {
		lay.Run = "any"
	}
	return lay
}

// in is the context of calls to the real stores: it never ends.
var in = context.Background()

// wrote keeps a write that took effect, so that restore can repeat it. The caller holds
// the world's lock.
func (l ledgerPort) wrote(again func(*memory.Ledger)) {
	l.p.w.ledgers.writes = append(l.p.w.ledgers.writes, again)
}

func (l ledgerPort) State(ctx context.Context, lay ledger.Layout) (ledger.State, error) {
	return call(ctx, l.p, l.read(lay, "state"), func() (ledger.State, error) {
		return l.p.w.ledgers.now.State(in, l.key(lay))
	})
}

func (l ledgerPort) Put(ctx context.Context, lay ledger.Layout, step int64, node tree.Node, partial ledger.Partial) ([]ledger.Arrival, error) {
	w := l.p.w
	partial.Gradient = slices.Clone(partial.Gradient)
	return call(ctx, l.p, l.write(lay, "put %d/%d", step, node), func() ([]ledger.Arrival, error) {
		l.p.unwritten = 0
		w.checkPartial(lay, step, node, partial)
		state, _ := w.ledgers.now.State(in, l.key(lay))
		arrivals, err := w.ledgers.now.Put(in, l.key(lay), step, node, partial)
		if err != nil {
			w.wrong("%s put node %d of step %d: %v", l.p.name, node, step, err)
			return nil, err
		}
		l.wrote(func(m *memory.Ledger) { _, _ = m.Put(in, l.key(lay), step, node, partial) })
		w.stored(lay.Ref, step, node)
		w.countPut(lay, step, state, arrivals)
		return arrivals, nil
	})
}

func (l ledgerPort) Arrived(ctx context.Context, lay ledger.Layout, step int64) ([]tree.Node, error) {
	return call(ctx, l.p, l.read(lay, "arrived %d", step), func() ([]tree.Node, error) {
		nodes, err := l.p.w.ledgers.now.Arrived(in, l.key(lay), step)
		if len(nodes) > 0 {
			l.p.w.reached("a stalled step has partials already")
		}
		return nodes, err
	})
}

func (l ledgerPort) Partial(ctx context.Context, lay ledger.Layout, r ledger.PartialRead) (ledger.Sums, error) {
	dst := r.Dst
	r.Dst = slices.Clone(dst)
	sums, err := call(ctx, l.p, l.read(lay, "partial %d/%d", r.Step, r.Node), func() (ledger.Sums, error) {
		return l.p.w.ledgers.now.Partial(in, l.key(lay), r)
	})
	if err == nil {
		copy(dst, r.Dst)
	}
	return sums, err
}

func (l ledgerPort) Append(ctx context.Context, lay ledger.Layout, a ledger.LogWrite) (bool, ledger.Chain, error) {
	w := l.p.w
	a.Root.Gradient, a.Residual, a.Chunks = slices.Clone(a.Root.Gradient), slices.Clone(a.Residual), slices.Clone(a.Chunks)
	reply, err := call(ctx, l.p, l.write(lay, "append %d", a.Step), func() (followed[bool], error) {
		l.p.unwritten = 0
		w.checkRoot(lay, a)
		was, _ := w.ledgers.now.State(in, l.key(lay))
		committed, after, err := w.ledgers.now.Append(in, l.key(lay), a)
		if err != nil {
			w.wrong("%s appends step %d: %v", l.p.name, a.Step, err)
			return followed[bool]{}, err
		}
		l.wrote(func(m *memory.Ledger) { _, _, _ = m.Append(in, l.key(lay), a) })
		if len(a.Chunks) == lay.Chunks() {
			w.stored(lay.Ref, a.Step, tree.Root)
		}
		w.countAppend(l.p, lay, a.Step, was, committed)
		return followed[bool]{committed, after}, nil
	})
	return reply.value, reply.chain, err
}

func (l ledgerPort) Residual(ctx context.Context, lay ledger.Layout, r ledger.LogRead) error {
	dst := r.Dst
	r.Dst = slices.Clone(dst)
	_, err := call(ctx, l.p, l.read(lay, "residual %d", r.Step), func() (struct{}, error) {
		err := l.p.w.ledgers.now.Residual(in, l.key(lay), r)
		switch {
		case r.Step > 0 && err == nil:
			l.p.w.reached("a residual is read")
		case errors.Is(err, job.ErrStale):
			l.p.w.reached("a residual is trimmed")
		}
		return struct{}{}, err
	})
	if err == nil {
		copy(dst, r.Dst)
	}
	return err
}

func (l ledgerPort) Root(ctx context.Context, lay ledger.Layout, r ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	dst := r.Dst
	r.Dst, r.Chunks = slices.Clone(dst), slices.Clone(r.Chunks)
	reply, err := call(ctx, l.p, l.read(lay, "root %d", r.Step), func() (followed[ledger.Sums], error) {
		sums, after, err := l.p.w.ledgers.now.Root(in, l.key(lay), r)
		return followed[ledger.Sums]{sums, after}, err
	})
	if err == nil {
		copy(dst, r.Dst)
	}
	return reply.value, reply.chain, err
}

func (l ledgerPort) Losses(ctx context.Context, lay ledger.Layout, from, to int64) ([]ledger.Progress, error) {
	return call(ctx, l.p, l.read(lay, "losses"), func() ([]ledger.Progress, error) {
		return l.p.w.ledgers.now.Losses(in, l.key(lay), from, to)
	})
}

func (l ledgerPort) PutSnapshot(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	return l.snapshot(ctx, lay, s, (*memory.Ledger).PutSnapshot)
}

func (l ledgerPort) Begin(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	return l.snapshot(ctx, lay, s, (*memory.Ledger).Begin)
}

func (l ledgerPort) snapshot(ctx context.Context, lay ledger.Layout, s ledger.Snapshot, put func(*memory.Ledger, context.Context, ledger.Layout, ledger.Snapshot) error) error {
	w := l.p.w
	_, err := call(ctx, l.p, l.write(lay, "snapshot %d", s.Step), func() (struct{}, error) {
		w.checkSnapshot(lay, s)
		before, _ := w.ledgers.now.State(in, l.key(lay))
		err := put(w.ledgers.now, in, l.key(lay), s)
		if errors.Is(err, job.ErrStale) && s.Step > before.Committed {
			w.reached("a snapshot comes after its steps were lost")
			return struct{}{}, err
		}
		if err != nil {
			w.wrong("%s puts snapshot %d: %v", l.p.name, s.Step, err)
			return struct{}{}, err
		}
		l.wrote(func(m *memory.Ledger) { _ = put(m, in, l.key(lay), s) })
		switch {
		case s.Step > before.Committed:
			w.reached("a snapshot brings back steps that the ledger has lost")
		case s.Step <= before.Snapshot:
			w.reached("a snapshot is no longer the newest")
		default:
			w.reached("a snapshot trims the log")
		}
		return struct{}{}, nil
	})
	return err
}

func copied(vectors [][]float32) [][]float32 {
	all := make([][]float32, len(vectors))
	for i, v := range vectors {
		all[i] = slices.Clone(v)
	}
	return all
}

// many is the number of steps of a long batch.
const many = 32

func (l ledgerPort) CommitBatch(ctx context.Context, lay ledger.Layout, b ledger.BatchCommit) error {
	w := l.p.w
	// The worker writes its next snapshot into the same vectors, so keep a copy.
	b.Snapshot.Vectors, b.Sums = copied(b.Snapshot.Vectors), slices.Clone(b.Sums)
	if len(b.Sums) >= many {
		w.locked(func() { w.doom(l.p, 2*w.swarm.base) })
	}
	_, err := call(ctx, l.p, l.write(lay, "leap %d", b.Snapshot.Step), func() (struct{}, error) {
		l.p.unwritten = 0
		w.checkSnapshot(lay, b.Snapshot)
		before, _ := w.ledgers.now.State(in, l.key(lay))
		err := w.ledgers.now.CommitBatch(in, l.key(lay), b)
		switch {
		case errors.Is(err, job.ErrStale) && before.Committed != b.From:
			w.reached("a batch commit is over steps that are not the next ones")
			return struct{}{}, err
		case errors.Is(err, job.ErrStale):
			w.reached("a batch commit finds its marks lost with the ledger")
			return struct{}{}, err
		case err != nil:
			w.wrong("%s commits a batch from %d to %d: %v", l.p.name, b.From, b.Snapshot.Step, err)
			return struct{}{}, err
		}
		w.reached("steps are committed by a batch commit")
		if len(b.Sums) >= many {
			w.reached("many steps are committed by a batch commit")
		}
		l.wrote(func(m *memory.Ledger) { _ = m.CommitBatch(in, l.key(lay), b) })
		return struct{}{}, nil
	})
	if len(b.Sums) >= many {
		w.locked(func() {
			switch {
			case errors.Is(err, errDead):
				w.reached("a worker is killed while it commits many steps")
			case err != nil:
				w.reached("a commit of many steps fails")
			}
		})
	}
	return err
}

func (l ledgerPort) Snapshot(ctx context.Context, lay ledger.Layout, vectors [][]float32) (int64, ledger.Chain, error) {
	read := copied(vectors)
	reply, err := call(ctx, l.p, l.read(lay, "read-snapshot"), func() (followed[int64], error) {
		l.p.w.reached("a replica is loaded from a snapshot")
		step, chain, err := l.p.w.ledgers.now.Snapshot(in, l.key(lay), read)
		return followed[int64]{step, chain}, err
	})
	if err == nil {
		for i, v := range read {
			copy(vectors[i], v)
		}
	}
	return reply.value, reply.chain, err
}

func (l ledgerPort) PutEvaluation(ctx context.Context, lay ledger.Layout, step int64, unit string, result []byte) (int, error) {
	w := l.p.w
	return call(ctx, l.p, l.write(lay, "evaluation %d/%s", step, unit), func() (int, error) {
		w.checkEvaluation(lay, step, unit, result)
		stored, err := w.ledgers.now.PutEvaluation(in, l.key(lay), step, unit, result)
		if err != nil {
			w.wrong("%s puts evaluation %d/%s: %v", l.p.name, step, unit, err)
			return 0, err
		}
		l.wrote(func(m *memory.Ledger) { _, _ = m.PutEvaluation(in, l.key(lay), step, unit, result) })
		w.ledgers.stored[evaluationKey(lay.Ref, step, unit)] = true
		return stored, nil
	})
}

func (l ledgerPort) Evaluations(ctx context.Context, lay ledger.Layout, step int64) (map[string][]byte, error) {
	return call(ctx, l.p, l.read(lay, "evaluations %d", step), func() (map[string][]byte, error) {
		return l.p.w.ledgers.now.Evaluations(in, l.key(lay), step)
	})
}

func (l ledgerPort) DropEvaluations(ctx context.Context, lay ledger.Layout, step int64) error {
	_, err := call(ctx, l.p, l.write(lay, "drop-evaluations %d", step), func() (struct{}, error) {
		l.wrote(func(m *memory.Ledger) { _ = m.DropEvaluations(in, l.key(lay), step) })
		return struct{}{}, l.p.w.ledgers.now.DropEvaluations(in, l.key(lay), step)
	})
	return err
}

func (l ledgerPort) Note(ctx context.Context, ref job.Ref, name string, note []byte) error {
	lay := ledger.Layout{Ref: ref}
	note = slices.Clone(note)
	_, err := call(ctx, l.p, l.write(lay, "note"), func() (struct{}, error) {
		l.wrote(func(m *memory.Ledger) { _ = m.Note(in, l.key(lay).Ref, name, note) })
		return struct{}{}, l.p.w.ledgers.now.Note(in, l.key(lay).Ref, name, note)
	})
	return err
}

func (l ledgerPort) Notes(ctx context.Context, ref job.Ref, names ...string) (map[string][]byte, error) {
	lay := ledger.Layout{Ref: ref}
	return call(ctx, l.p, l.read(lay, "notes"), func() (map[string][]byte, error) {
		return l.p.w.ledgers.now.Notes(in, l.key(lay).Ref, names...)
	})
}

func (l ledgerPort) Erase(ctx context.Context, ref job.Ref, names ...string) error {
	lay := ledger.Layout{Ref: ref}
	_, err := call(ctx, l.p, l.write(lay, "erase"), func() (struct{}, error) {
		l.wrote(func(m *memory.Ledger) { _ = m.Erase(in, l.key(lay).Ref, names...) })
		return struct{}{}, l.p.w.ledgers.now.Erase(in, l.key(lay).Ref, names...)
	})
	return err
}

func (l ledgerPort) Probe(ctx context.Context, lay ledger.Layout) error {
	_, err := call(ctx, l.p, l.write(lay, "probe"), func() (struct{}, error) {
		return struct{}{}, l.p.w.ledgers.now.Probe(in, l.key(lay))
	})
	return err
}

func (l ledgerPort) Room(ctx context.Context) (ledger.Room, error) {
	return call(ctx, l.p, operation{store: ledgerStore, name: "room"}, func() (ledger.Room, error) {
		return l.p.w.room(), nil
	})
}

// room returns what the ledger reports about its memory. Normally there is no limit. In a
// tight world the limit is only just enough for the job that needs the most. The caller
// holds w.mu.
func (w *world) room() ledger.Room {
	var need int64
	for _, p := range w.swarm.jobs {
		if r, ok := w.records.newest(p.id); ok && w.swarm.tight {
			need = max(need, r.LedgerNeed)
		}
	}
	if need == 0 {
		return ledger.Room{}
	}
	return ledger.Room{Limit: (need/4 + 1) * 5}
}

func (l ledgerPort) Delete(ctx context.Context, lay ledger.Layout) error {
	_, err := call(ctx, l.p, l.write(lay, "delete"), func() (struct{}, error) {
		l.wrote(func(m *memory.Ledger) { _ = m.Delete(in, l.key(lay)) })
		l.p.w.ledgers.deleted[lay.Ref] = true
		return struct{}{}, l.p.w.ledgers.now.Delete(in, l.key(lay))
	})
	return err
}
