package redis

import (
	"context"
	"errors"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
)

// Bounds of trimming, so that no command holds the server up for long: chunks
// listed in one pipeline, values freed by one command, commands in a pipeline.
const (
	trimChunks   = 64
	trimFields   = 32
	trimCommands = 64
)

// trim raises the floor of chunks' logs and deletes what is below it, and
// snapshots and partials older than it. What there is is listed after the floor
// is raised, so a trim that was cut short is finished by the next. Of the log's
// entries since the floor before, every other one lingers until the next trim.
// A chunk without the snapshot of that floor keeps all it has: a server that was put
// back to an older copy of itself meanwhile goes on from an older snapshot.
func (l *Ledger) trim(ctx context.Context, lay ledger.Layout, floor int64, chunks []int) error {
	k := keysOf(lay)
	pipe := l.pipeline(0)
	raised := make([]*call, len(chunks))
	for i, c := range chunks {
		raised[i] = pipe.run(ctx, raiseScript, []string{k.log(c), k.snapshot(c)}, floor, jobLife.Milliseconds())
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	type listing struct{ log, snapshots, steps *goredis.StringSliceCmd }
	found := make([]listing, len(chunks))
	for i, c := range chunks {
		found[i] = listing{pipe.HKeys(ctx, k.log(c)), pipe.HKeys(ctx, k.snapshot(c)), pipe.SMembers(ctx, k.steps(c))}
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	for i, c := range chunks {
		before, err := raised[i].Int64()
		if err != nil {
			return err
		}
		if before < 0 {
			continue
		}
		drop := func(key string) func([]string) {
			return func(old []string) {
				pipe.run(ctx, dropScript, []string{k.snapshot(c), key}, append([]any{floor}, anys(old)...)...)
			}
		}
		entries := slices.DeleteFunc(below(floor, found[i].log.Val()), func(f string) bool { return lingers(f, c, before) })
		err = errors.Join(
			pipe.batch(ctx, entries, drop(k.log(c))),
			pipe.batch(ctx, below(floor, found[i].snapshots.Val()), drop(k.snapshot(c))),
			pipe.batch(ctx, below(floor, found[i].steps.Val()), func(old []string) {
				unlinkSteps(ctx, pipe, old, func(step int64) string { return k.partials(c, step) })
				pipe.SRem(ctx, k.steps(c), anys(old)...)
			}))
		if err != nil {
			return err
		}
	}
	if pipe.Len() == 0 {
		return nil
	}
	return pipe.exec(ctx)
}

// batch adds the deletion of fields, a few at a time, and sends the pipeline
// whenever it is long.
func (p *pipeline) batch(ctx context.Context, fields []string, add func(some []string)) error {
	for part := range slices.Chunk(fields, trimFields) {
		add(part)
		if p.Len() >= trimCommands {
			if err := p.exec(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// lingers reports whether an entry of a chunk's log stays for now, though it is below
// the floor, because it was not below the floor before. Nobody reads it. But what is
// deleted lies between such entries in the server's memory: jemalloc makes one of
// neighbours that are free, and takes no chunk out of what is more than 64 times as
// large (lg_extent_max_active_fit), so that of a log that is deleted as a whole every
// page goes back to the system, and has to be faulted in again for the next.
func lingers(field string, chunk int, before int64) bool {
	step, _ := stepOf(field)
	return step >= before && (step+int64(chunk))%2 == 0
}

// below keeps the fields of steps that are smaller than floor.
func below(floor int64, fields []string) []string {
	return slices.DeleteFunc(fields, func(f string) bool {
		step, ok := stepOf(f)
		return !ok || step >= floor
	})
}

// stepOf is the step of a field of the log: a root, its seal or its residual.
func stepOf(field string) (step int64, ok bool) {
	return number(strings.TrimLeft(field, sealPrefix+residualPrefix))
}

func anys(s []string) []any {
	list := make([]any, len(s))
	for i, v := range s {
		list[i] = v
	}
	return list
}
