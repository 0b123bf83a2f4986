package sizing

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"tributary/coordinator/capacity"
	"tributary/shared/access"
	"tributary/shared/job"
	"tributary/shared/ledger"
	ledgerredis "tributary/shared/ledger/redis"
	"tributary/shared/settings"
	"tributary/shared/wire"
)

// moving measures the time of a vector into and out of Redis, for one client and for as
// many clients as there are CPUs. The latter counts as the throughput of Redis. Redis
// itself has only the remaining CPUs during the measurement, so it can do more.
func (c *Command) moving(ctx context.Context, server settings.Redis, layout func(job.Ref) ledger.Layout, costs *capacity.Costs, log zerolog.Logger) error {
	if server.URL == "" {
		embedded := miniredis.NewMiniRedis()
		if err := embedded.Start(); err != nil {
			return fmt.Errorf("start the embedded Redis server: %w", err)
		}
		defer embedded.Close()
		server = settings.Redis{URL: access.URL("redis://" + embedded.Addr())}
		log = zerolog.Nop() // warnings about the embedded server do not concern the user
	}
	l, err := ledgerredis.Open(ctx, server.Config(log))
	if err != nil {
		return err
	}
	defer l.Close()
	alone, err := trip(ctx, l, layout, 1, c.Budget/2)
	if err != nil {
		return err
	}
	shared, err := trip(ctx, l, layout, max(2, runtime.GOMAXPROCS(0)), c.Budget/2)
	if err != nil {
		return err
	}
	costs.Put, costs.Get = alone.put, alone.get
	costs.SharedPut, costs.SharedGet = min(alone.put, shared.put), min(alone.get, shared.get)
	return nil
}

// times holds the seconds per vector, for all clients together.
type times struct{ put, get float64 }

const (
	leastRounds = 2
	mostRounds  = 64
)

// store moves vectors: it has the log and the deletion of the measured keys.
type store interface {
	ledger.Reader
	ledger.Committer
	ledger.Admin
}

// trip appends and reads roots with that many clients at once. Each client has its own
// job, which is deleted afterwards.
func trip(ctx context.Context, l store, layout func(job.Ref) ledger.Layout, clients int, budget time.Duration) (times, error) {
	var puts, gets []float64
	run := strconv.FormatUint(rand.Uint64(), 36)
	root := make([]float32, layout(job.Ref{}).Params)
	for i := range root {
		root[i] = float32(i*7919%1013)/1013 - 0.5
	}
	layouts, chains := make([]ledger.Layout, clients), make([]ledger.Chain, clients)
	dst := make([][]float32, clients)
	for i := range layouts {
		layouts[i] = layout(job.Ref{Job: job.ID("plan-" + strconv.Itoa(i)), Run: job.Run(run)})
		layouts[i].Wire = wire.Format{} // the cost of a vector is measured without a lossy format
		chains[i], dst[i] = layouts[i].Genesis(), make([]float32, len(root))
	}
	defer func() {
		for _, lay := range layouts {
			_ = l.Delete(context.WithoutCancel(ctx), lay) // otherwise its keys expire
		}
	}()
	began := time.Now()
	for rounds := 0; rounds < leastRounds || rounds < mostRounds && time.Since(began) < budget; rounds++ {
		step := int64(rounds)
		before := append([]ledger.Chain(nil), chains...)
		put, err := together(clients, func(i int) (err error) {
			_, chains[i], err = l.Append(ctx, layouts[i], ledger.LogWrite{
				Step: step, Chunks: layouts[i].AllChunks(), Before: before[i],
				Root: ledger.Partial{Gradient: root, Sums: ledger.Sums{Examples: 1}},
			})
			return err
		})
		if err != nil {
			return times{}, err
		}
		get, err := together(clients, func(i int) error {
			_, _, err := l.Root(ctx, layouts[i], ledger.LogRead{Step: step, Chunks: layouts[i].AllChunks(), Dst: dst[i], Before: before[i]})
			return err
		})
		if err != nil {
			return times{}, err
		}
		if rounds > 0 { // the first round opens connections
			puts, gets = append(puts, put), append(gets, get)
		}
	}
	n := float64(clients)
	return times{median(puts) / n, median(gets) / n}, nil
}

// together calls f concurrently for each client and returns the total seconds.
func together(clients int, f func(i int) error) (float64, error) {
	errs := make([]error, clients)
	began := time.Now()
	var busy sync.WaitGroup
	for i := range clients {
		busy.Go(func() { errs[i] = f(i) })
	}
	busy.Wait()
	took := time.Since(began).Seconds()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}
