package redis

import (
	"context"
	"slices"

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
// snapshots older than it. The fields are listed after the floor is raised, so
// a trim that was cut short is finished by the next.
func (l *Ledger) trim(ctx context.Context, lay ledger.Layout, floor int64, chunks []int) error {
	k := keysOf(lay)
	pipe := l.pipeline(0)
	type listing struct {
		key    string
		fields *goredis.StringSliceCmd
	}
	for _, c := range chunks {
		pipe.run(ctx, raiseScript, []string{k.log(c)}, floor, jobLife.Milliseconds())
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	var listings []listing
	for _, c := range chunks {
		for _, key := range []string{k.log(c), k.snapshot(c)} {
			listings = append(listings, listing{key, pipe.HKeys(ctx, key)})
		}
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	for _, ls := range listings {
		old := slices.DeleteFunc(ls.fields.Val(), func(f string) bool {
			step, ok := number(f)
			return !ok || step >= floor
		})
		for part := range slices.Chunk(old, trimFields) {
			pipe.HDel(ctx, ls.key, part...)
			if pipe.Len() == trimCommands {
				if err := pipe.exec(ctx); err != nil {
					return err
				}
			}
		}
	}
	if pipe.Len() == 0 {
		return nil
	}
	return pipe.exec(ctx)
}
