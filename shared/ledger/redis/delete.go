package redis

import (
	"context"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
)

// Bounds of deleting: chunks handled in one pipeline, keys in one command.
const (
	deleteChunks = 64
	deleteKeys   = 256
)

// Delete removes the keys that the layout and the job's sets of steps name. Its cost
// depends on what the job has left, not on the other jobs of the server.
//
// It first deletes what exists once per job. So a half-deleted job looks like one that has
// not begun, not like one that has lost its log. It deletes each set after the keys that
// the set names, so the next call finishes an interrupted one.
func (l *Ledger) Delete(ctx context.Context, lay ledger.Layout) error {
	if err := lay.CheckDelete(); err != nil {
		return err
	}
	remove := l.deleteJob
	if lay.ChunkLen == 0 {
		remove = l.deleteScanned
	}
	if err := remove(ctx, lay); err != nil {
		return fmt.Errorf("delete ledger of %s: %w", lay.Ref, err)
	}
	return nil
}

func (l *Ledger) deleteJob(ctx context.Context, lay ledger.Layout) error {
	k := keysOf(lay)
	pipe := l.pipeline(0)
	pipe.Unlink(ctx, k.control(), k.losses(), k.pending(), k.journal())
	evaluations := pipe.SMembers(ctx, k.evaluations())
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	unlinkSteps(ctx, pipe, evaluations.Val(), k.evaluation)
	pipe.Unlink(ctx, k.evaluations())
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	for group := range slices.Chunk(lay.AllChunks(), deleteChunks) {
		steps := make([]*goredis.StringSliceCmd, len(group))
		for i, c := range group {
			steps[i] = pipe.SMembers(ctx, k.steps(c))
		}
		if err := pipe.exec(ctx); err != nil {
			return err
		}
		for i, c := range group {
			unlinkSteps(ctx, pipe, steps[i].Val(), func(step int64) string { return k.partials(c, step) })
			pipe.Unlink(ctx, k.log(c), k.snapshot(c), k.steps(c), k.probe(c))
		}
		if err := pipe.exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// scanCount is the number of keys that a server examines in one call of SCAN.
const scanCount = 1000

// deleteScanned finds the keys of the job by a scan of all keys, and removes them.
func (l *Ledger) deleteScanned(ctx context.Context, lay ledger.Layout) error {
	pattern := "tributary:{" + lay.Ref.String() + ":*"
	return eachNode(ctx, l.control, func(ctx context.Context, node goredis.UniversalClient) error {
		for cursor := uint64(0); ; {
			found, next, err := node.Scan(ctx, cursor, pattern, scanCount).Result()
			if err != nil {
				return classify(ctx, err)
			}
			for _, key := range found { // the keys have many slots, and one command may name only one slot
				if err := node.Unlink(ctx, key).Err(); err != nil {
					return classify(ctx, err)
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	})
}

// unlinkSteps adds the deletion of the steps' keys to a pipeline. All keys are in one slot.
func unlinkSteps(ctx context.Context, pipe *pipeline, steps []string, key func(step int64) string) {
	keys := make([]string, 0, len(steps))
	for _, f := range steps {
		if step, ok := number(f); ok {
			keys = append(keys, key(step))
		}
	}
	for group := range slices.Chunk(keys, deleteKeys) {
		pipe.Unlink(ctx, group...)
	}
}

// eachNode calls f for every server that stores keys, possibly in parallel.
func eachNode(ctx context.Context, client goredis.UniversalClient, f func(context.Context, goredis.UniversalClient) error) error {
	cluster, ok := client.(*goredis.ClusterClient)
	if !ok {
		return f(ctx, client)
	}
	return cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return f(ctx, node) })
}
