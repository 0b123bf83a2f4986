package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
)

// scanCount is how many keys a server looks at in one step of a scan.
const scanCount = 1000

// Delete looks for the job's keys on every server, rather than working out
// what they should be, so that it also finds what a cut call left behind.
func (l *Ledger) Delete(ctx context.Context, lay ledger.Layout) error {
	if err := lay.Validate(); err != nil {
		return err
	}
	err := eachNode(ctx, l.control, func(ctx context.Context, node goredis.UniversalClient) error {
		return deleteKeys(ctx, node, keysOf(lay).pattern())
	})
	if err != nil {
		return fmt.Errorf("delete ledger of %s: %w", lay.Ref, classify(ctx, err))
	}
	return nil
}

func deleteKeys(ctx context.Context, node goredis.UniversalClient, pattern string) error {
	var cursor uint64
	for {
		found, next, err := node.Scan(ctx, cursor, pattern, scanCount).Result()
		if err != nil {
			return err
		}
		pipe := node.Pipeline()
		for _, key := range found {
			pipe.Unlink(ctx, key) // one by one: they are in different slots
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// eachNode calls f for every server that holds keys, maybe at once.
func eachNode(ctx context.Context, client goredis.UniversalClient, f func(context.Context, goredis.UniversalClient) error) error {
	cluster, ok := client.(*goredis.ClusterClient)
	if !ok {
		return f(ctx, client)
	}
	return cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return f(ctx, node) })
}
