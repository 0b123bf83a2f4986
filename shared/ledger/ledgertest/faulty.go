package ledgertest

import (
	"context"
	"errors"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// ErrInjected is the error of a Faulty.
var ErrInjected = errors.New("injected")

// Faulty is a ledger whose K-th call (from 1) fails: before it takes effect, or after it
// when After is set. It is not safe for concurrent use.
type Faulty struct {
	Next  ledger.Ledger
	K     int
	After bool
	Calls int // so far
}

var _ ledger.Ledger = (*Faulty)(nil)

// call counts a call and forwards it or lets it fail.
func call[T any](f *Faulty, do func() (T, error)) (T, error) {
	f.Calls++
	if f.Calls != f.K {
		return do()
	}
	var zero T
	if f.After {
		_, _ = do() // the call takes effect, and its answer is lost
	}
	return zero, ErrInjected
}

// followed is a result that a call returns together with a chain.
type followed[T any] struct {
	value T
	chain ledger.Chain
}

// follow does the same as call, for a method that also returns a chain.
func follow[T any](f *Faulty, do func() (T, ledger.Chain, error)) (T, ledger.Chain, error) {
	both, err := call(f, func() (followed[T], error) {
		value, chain, err := do()
		return followed[T]{value, chain}, err
	})
	return both.value, both.chain, err
}

// only does the same as call, for a method that returns only an error.
func only(f *Faulty, do func() error) error {
	_, err := call(f, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// State passes the call on or fails it.
func (f *Faulty) State(ctx context.Context, l ledger.Layout) (ledger.State, error) {
	return call(f, func() (ledger.State, error) { return f.Next.State(ctx, l) })
}

// Put passes the call on or fails it.
func (f *Faulty) Put(ctx context.Context, l ledger.Layout, step int64, node tree.Node, p ledger.Partial) ([]ledger.Arrival, error) {
	return call(f, func() ([]ledger.Arrival, error) { return f.Next.Put(ctx, l, step, node, p) })
}

// Arrived passes the call on or fails it.
func (f *Faulty) Arrived(ctx context.Context, l ledger.Layout, step int64) ([]tree.Node, error) {
	return call(f, func() ([]tree.Node, error) { return f.Next.Arrived(ctx, l, step) })
}

// Partial passes the call on or fails it.
func (f *Faulty) Partial(ctx context.Context, l ledger.Layout, r ledger.PartialRead) (ledger.Sums, error) {
	return call(f, func() (ledger.Sums, error) { return f.Next.Partial(ctx, l, r) })
}

// Append passes the call on or fails it.
func (f *Faulty) Append(ctx context.Context, l ledger.Layout, w ledger.LogWrite) (bool, ledger.Chain, error) {
	return follow(f, func() (bool, ledger.Chain, error) {
		return f.Next.Append(ctx, l, w)
	})
}

// Residual passes the call on or fails it.
func (f *Faulty) Residual(ctx context.Context, l ledger.Layout, r ledger.LogRead) error {
	return only(f, func() error { return f.Next.Residual(ctx, l, r) })
}

// Root passes the call on or fails it.
func (f *Faulty) Root(ctx context.Context, l ledger.Layout, r ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	return follow(f, func() (ledger.Sums, ledger.Chain, error) { return f.Next.Root(ctx, l, r) })
}

// Losses passes the call on or fails it.
func (f *Faulty) Losses(ctx context.Context, l ledger.Layout, from, to int64) ([]ledger.Progress, error) {
	return call(f, func() ([]ledger.Progress, error) { return f.Next.Losses(ctx, l, from, to) })
}

// PutSnapshot passes the call on or fails it.
func (f *Faulty) PutSnapshot(ctx context.Context, l ledger.Layout, s ledger.Snapshot) error {
	return only(f, func() error { return f.Next.PutSnapshot(ctx, l, s) })
}

// Begin passes the call on or fails it.
func (f *Faulty) Begin(ctx context.Context, l ledger.Layout, s ledger.Snapshot) error {
	return only(f, func() error { return f.Next.Begin(ctx, l, s) })
}

// CommitBatch passes the call on or fails it.
func (f *Faulty) CommitBatch(ctx context.Context, l ledger.Layout, b ledger.BatchCommit) error {
	return only(f, func() error { return f.Next.CommitBatch(ctx, l, b) })
}

// Snapshot passes the call on or fails it.
func (f *Faulty) Snapshot(ctx context.Context, l ledger.Layout, vectors [][]float32) (int64, ledger.Chain, error) {
	return follow(f, func() (int64, ledger.Chain, error) { return f.Next.Snapshot(ctx, l, vectors) })
}

// PutEvaluation passes the call on or fails it.
func (f *Faulty) PutEvaluation(ctx context.Context, l ledger.Layout, step int64, unit string, result []byte) (int, error) {
	return call(f, func() (int, error) { return f.Next.PutEvaluation(ctx, l, step, unit, result) })
}

// Evaluations passes the call on or fails it.
func (f *Faulty) Evaluations(ctx context.Context, l ledger.Layout, step int64) (map[string][]byte, error) {
	return call(f, func() (map[string][]byte, error) { return f.Next.Evaluations(ctx, l, step) })
}

// DropEvaluations passes the call on or fails it.
func (f *Faulty) DropEvaluations(ctx context.Context, l ledger.Layout, step int64) error {
	return only(f, func() error { return f.Next.DropEvaluations(ctx, l, step) })
}

// Note forwards the call and does not count it: no result depends on a note.
func (f *Faulty) Note(ctx context.Context, ref job.Ref, name string, note []byte) error {
	return f.Next.Note(ctx, ref, name, note)
}

// Notes forwards the call and does not count it.
func (f *Faulty) Notes(ctx context.Context, ref job.Ref, names ...string) (map[string][]byte, error) {
	return f.Next.Notes(ctx, ref, names...)
}

// Erase forwards the call and does not count it.
func (f *Faulty) Erase(ctx context.Context, ref job.Ref, names ...string) error {
	return f.Next.Erase(ctx, ref, names...)
}

// Probe passes the call on or fails it.
func (f *Faulty) Probe(ctx context.Context, l ledger.Layout) error {
	return only(f, func() error { return f.Next.Probe(ctx, l) })
}

// Room passes the call on or fails it.
func (f *Faulty) Room(ctx context.Context) (ledger.Room, error) {
	return call(f, func() (ledger.Room, error) { return f.Next.Room(ctx) })
}

// Delete passes the call on or fails it.
func (f *Faulty) Delete(ctx context.Context, l ledger.Layout) error {
	return only(f, func() error { return f.Next.Delete(ctx, l) })
}
