package compute

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// brittle panics once, in one call of a worker's ledger, blocks or progress.
type brittle struct {
	ledger.Ledger
	*dataset.Cache
	hold
	place string
	armed atomic.Bool
}

func (b *brittle) at(place string) {
	if place == b.place && b.armed.Swap(false) {
		panic("on purpose: " + place)
	}
}

func (b *brittle) Append(ctx context.Context, l ledger.Layout, w ledger.LogWrite) (bool, ledger.Chain, error) {
	b.at("append")
	return b.Ledger.Append(ctx, l, w)
}

func (b *brittle) CommitBatch(ctx context.Context, l ledger.Layout, batch ledger.BatchCommit) error {
	b.at("batch")
	return b.Ledger.CommitBatch(ctx, l, batch)
}

func (b *brittle) Put(ctx context.Context, l ledger.Layout, step int64, node tree.Node, p ledger.Partial) ([]ledger.Arrival, error) {
	b.at("put")
	return b.Ledger.Put(ctx, l, step, node, p)
}

func (b *brittle) PutSnapshot(ctx context.Context, l ledger.Layout, s ledger.Snapshot) error {
	b.at("snapshot")
	return b.Ledger.PutSnapshot(ctx, l, s)
}

func (b *brittle) PutEvaluation(ctx context.Context, l ledger.Layout, step int64, unit string, result []byte) (int, error) {
	b.at("evaluate")
	return b.Ledger.PutEvaluation(ctx, l, step, unit, result)
}

func (b *brittle) Get(ctx context.Context, ref dataset.BlockRef) (*dataset.Block, error) {
	b.at("blocks")
	return b.Cache.Get(ctx, ref)
}

func (b *brittle) Progress() { b.at("compute") }

// store panics when a plan is read.
type store struct {
	blob.Store
	b *brittle
}

func (s store) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	s.b.at("compile")
	return s.Store.Get(ctx, digest)
}

// A panic in any goroutine of a task is an error of that attempt only. The worker, its
// caches and its next attempt work as before.
func TestAPanicCostsOneAttempt(t *testing.T) {
	for _, place := range []string{"compile", "blocks", "compute", "append", "batch", "put", "snapshot", "evaluate"} {
		t.Run(place, func(t *testing.T) {
			f := newFixture(t)
			b := &brittle{Ledger: f.ledger, Cache: f.blocks, place: place}
			c := f.worker(b)
			c.blobs, c.programs.blocks = store{f.blobs, b}, b
			tasks := []job.Task{f.ranged(0, tree.Root)}
			switch place {
			case "batch":
				tasks[0].Announce = steps
			case "put":
				tasks = []job.Task{f.gradient(0, 2), f.gradient(0, 3), f.ranged(1, tree.Root)}
			}
			tasks = append(tasks, f.task(job.Snapshot, steps), f.evaluate(steps, job.Test, 0))
			if place == "snapshot" {
				tasks = []job.Task{f.gradient(0, tree.Root), f.task(job.Snapshot, 1), f.ranged(1, tree.Root), f.evaluate(steps, job.Test, 0)}
			}
			b.armed.Store(true)
			failed := 0
			for _, task := range tasks {
				err := c.Handle(t.Context(), task, b)
				for err != nil && strings.Contains(err.Error(), "on purpose: "+place) {
					require.ErrorIs(t, err, job.ErrPoison)
					failed++
					err = c.Handle(t.Context(), task, b)
				}
				if err != nil {
					require.ErrorIs(t, err, job.ErrStale)
				}
			}
			require.Equal(t, 1, failed)
			require.EqualValues(t, steps, f.state().Committed)
			require.Equal(t, f.parameters(steps), f.folded(c, steps))
		})
	}
}
