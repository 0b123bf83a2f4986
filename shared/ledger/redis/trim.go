package redis

import (
	"context"
	"errors"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
)

// Bounds of trimming, so that no command blocks the server for long: chunks listed in one
// pipeline, fields deleted by one command, commands in one pipeline.
const (
	trimChunks   = 64
	trimFields   = 32
	trimCommands = 64
)

// trim raises the floor of the chunks' logs to floor. Then it deletes the log entries,
// snapshots and partials below it. It lists them after it has raised the floor, so the next
// trim finishes an interrupted one.
//
// Of the entries that were in the log until now, every other one stays until the next
// trim; see staysUntilNextTrim. A chunk that does not have the snapshot after floor steps
// keeps everything. Then the server was replaced by an older copy of itself meanwhile,
// and the job continues from an older snapshot.
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
		entries := slices.DeleteFunc(below(floor, found[i].log.Val()), func(f string) bool { return staysUntilNextTrim(f, c, before) })
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

// batch adds commands that delete fields, a few fields per command. It sends the pipeline
// whenever it is long.
func (p *pipeline) batch(ctx context.Context, fields []string, add func(some []string)) error {
	for group := range slices.Chunk(fields, trimFields) {
		add(group)
		if p.Len() >= trimCommands {
			if err := p.exec(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// staysUntilNextTrim reports whether a log entry below the floor stays until the next
// trim. Every other entry stays, of those that were not below the previous floor. Nobody
// reads them. They keep the freed memory between them in pieces, so that the server can
// use it again for new entries. Without them, jemalloc merges all freed memory into one
// extent. It does not reuse an extent that is more than 64 times as large as the request
// (lg_extent_max_active_fit). Then every page goes back to the system, and the next log
// must fault it in again.
func staysUntilNextTrim(field string, chunk int, before int64) bool {
	step, _ := stepOf(field)
	return step >= before && (step+int64(chunk))%2 == 0
}

// below returns the fields whose steps are less than floor.
func below(floor int64, fields []string) []string {
	return slices.DeleteFunc(fields, func(f string) bool {
		step, ok := stepOf(f)
		return !ok || step >= floor
	})
}

// stepOf returns the step of a field of the log: a root, its seal or its residual.
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
