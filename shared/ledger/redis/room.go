package redis

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
)

// Probe writes a field of a hash, in the same way as partials are written, with commands
// that even minimal access rights allow. It writes to every master that holds one of the
// job's chunks.
func (l *Ledger) Probe(ctx context.Context, lay ledger.Layout) error {
	if err := lay.Validate(); err != nil {
		return err
	}
	chunks, err := l.masters(ctx, lay)
	if err != nil {
		return fmt.Errorf("probe: %w", classify(ctx, err))
	}
	pipe := l.pipeline(0)
	for _, c := range chunks {
		key := keysOf(lay).probe(c)
		pipe.HSet(ctx, key, "", "")
		pipe.PExpire(ctx, key, probeLife)
	}
	if err := pipe.exec(ctx); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}

// masters returns one chunk of the job for each master that holds some.
func (l *Ledger) masters(ctx context.Context, lay ledger.Layout) ([]int, error) {
	cluster, ok := l.control.(*goredis.ClusterClient)
	if !ok {
		return []int{0}, nil
	}
	var chunks []int
	seen := map[string]bool{}
	for _, c := range lay.AllChunks() {
		master, err := cluster.MasterForKey(ctx, keysOf(lay).probe(c))
		if err != nil {
			return nil, err
		}
		if addr := master.Options().Addr; !seen[addr] {
			seen[addr] = true
			chunks = append(chunks, c)
		}
	}
	return chunks, nil
}

// Room asks every master for its maxmemory. Chunks spread evenly over the masters. So the
// limit of a cluster is its smallest maxmemory times the number of masters. A server that
// does not report one has no limit.
func (l *Ledger) Room(ctx context.Context) (ledger.Room, error) {
	var mu sync.Mutex
	var nodes, limit, used int64
	err := eachNode(ctx, l.control, func(ctx context.Context, node goredis.UniversalClient) error {
		text, err := node.Info(ctx, "memory").Result()
		if err != nil {
			return err
		}
		memory := fields(text)
		its, _ := strconv.ParseInt(memory["maxmemory"], 10, 64)   // 0 if the server does not report it
		has, _ := strconv.ParseInt(memory["used_memory"], 10, 64) // the same
		mu.Lock()
		defer mu.Unlock()
		nodes++
		used += max(0, has)
		if its > 0 && (limit == 0 || its < limit) {
			limit = its
		}
		return nil
	})
	if err != nil {
		return ledger.Room{}, fmt.Errorf("read the memory of redis: %w", classify(ctx, err))
	}
	return ledger.Room{Limit: limit * nodes, Used: used}, nil
}
