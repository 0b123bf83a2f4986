package redis

import (
	"bytes"
	"context"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// PutEvaluation stores the unit, reads back what is stored for it, and counts the units of
// the step.
func (l *Ledger) PutEvaluation(ctx context.Context, lay ledger.Layout, step int64, unit string, result []byte) (int, error) {
	if err := lay.CheckUnit(step, unit, result); err != nil {
		return 0, err
	}
	key := keysOf(lay).evaluation(step)
	pipe := l.pipeline(len(result))
	pipe.SAdd(ctx, keysOf(lay).evaluations(), step)
	pipe.PExpire(ctx, keysOf(lay).evaluations(), jobLife)
	pipe.HSetNX(ctx, key, unit, result)
	pipe.PExpire(ctx, key, jobLife)
	stored := pipe.HGet(ctx, key, unit)
	units := pipe.HLen(ctx, key)
	if err := pipe.exec(ctx); err != nil {
		return 0, fmt.Errorf("put evaluation %s of step %d: %w", unit, step, err)
	}
	if was, err := stored.Bytes(); err != nil || !bytes.Equal(was, result) {
		return 0, fmt.Errorf("put evaluation %s of step %d: it is stored with another result: %w", unit, step, job.ErrCorrupt)
	}
	return int(units.Val()), nil
}

// Evaluations reads all units of the step.
func (l *Ledger) Evaluations(ctx context.Context, lay ledger.Layout, step int64) (map[string][]byte, error) {
	if err := lay.CheckStep(step); err != nil {
		return nil, err
	}
	units, err := l.fieldsOf(ctx, keysOf(lay).evaluation(step))
	if err != nil {
		return nil, fmt.Errorf("read evaluations of step %d: %w", step, err)
	}
	return units, nil
}

// fieldsOf reads all fields of a hash.
func (l *Ledger) fieldsOf(ctx context.Context, key string) (map[string][]byte, error) {
	stored, err := l.control.HGetAll(ctx, key).Result()
	if err != nil {
		return nil, classify(ctx, err)
	}
	all := make(map[string][]byte, len(stored))
	for name, value := range stored {
		all[name] = []byte(value)
	}
	return all, nil
}

// DropEvaluations removes the units of the step. The step stays in the set of the job's
// evaluations: a late worker may still store another unit.
func (l *Ledger) DropEvaluations(ctx context.Context, lay ledger.Layout, step int64) error {
	if err := lay.CheckStep(step); err != nil {
		return err
	}
	if err := l.control.Unlink(ctx, keysOf(lay).evaluation(step)).Err(); err != nil {
		return fmt.Errorf("drop evaluations of step %d: %w", step, classify(ctx, err))
	}
	return nil
}
