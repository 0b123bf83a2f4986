package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// State reads the counts. Trims begin with chunk 0, so its floor is the log's.
func (l *Ledger) State(ctx context.Context, lay ledger.Layout) (ledger.State, error) {
	if err := lay.Validate(); err != nil {
		return ledger.State{}, err
	}
	k := keysOf(lay)
	pipe := l.pipeline(0)
	control := pipe.HMGet(ctx, k.control(), fieldCommitted, fieldSnapshot, fieldPlan)
	log := pipe.HMGet(ctx, k.log(0), fieldFloor)
	if err := pipe.exec(ctx); err != nil {
		return ledger.State{}, fmt.Errorf("read state of %s: %w", lay.Ref, err)
	}
	values := append(control.Val(), log.Val()...)
	if len(values) != 4 {
		return ledger.State{}, fmt.Errorf("read state of %s: %d values instead of 4", lay.Ref, len(values))
	}
	if err := ofPlan(lay, values[2]); err != nil {
		return ledger.State{}, fmt.Errorf("read state of %s: %w", lay.Ref, err)
	}
	committed, err := count(values[0])
	snapshot, err2 := count(values[1])
	floor, err3 := count(values[3])
	if err := errors.Join(err, err2, err3); err != nil {
		return ledger.State{}, fmt.Errorf("read state of %s: %w", lay.Ref, err)
	}
	return ledger.State{Committed: committed, Snapshot: snapshot, Floor: floor}, nil
}

// ofPlan reports a ledger that is bound to another plan than the layout's.
func ofPlan(lay ledger.Layout, bound any) error {
	if plan, ok := bound.(string); ok && plan != string(lay.Plan) {
		return fmt.Errorf("the ledger is of plan %.12s, not %.12s: %w", plan, string(lay.Plan), job.ErrCorrupt)
	}
	return nil
}

// lossBytes is the size of a losses entry; lossPage is the number of entries in one read.
const (
	lossBytes = 16
	lossPage  = 4096
)

// lossEntry returns the stored form of s: examples, then loss, both little-endian.
func lossEntry(s ledger.Sums) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, lossBytes), uint64(s.Examples))
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Loss))
}

// Losses reads the losses page by page. If the ledger began from a checkpoint, the earlier
// steps have no entry and are left out.
func (l *Ledger) Losses(ctx context.Context, lay ledger.Layout, from, to int64) ([]ledger.Progress, error) {
	if err := lay.CheckLosses(from, to); err != nil {
		return nil, err
	}
	var all []ledger.Progress
	for from < to {
		page, err := l.lossPage(ctx, lay, from, to)
		if err != nil {
			return nil, fmt.Errorf("read losses of %s from step %d: %w", lay.Ref, from, err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		from = page[len(page)-1].Step + 1
	}
	return all, nil
}

func (l *Ledger) lossPage(ctx context.Context, lay ledger.Layout, from, to int64) ([]ledger.Progress, error) {
	k := keysOf(lay)
	pipe := l.pipeline(0)
	losses := pipe.run(ctx, lossesScript, []string{k.control(), k.losses()}, from, to, lossPage)
	if err := pipe.exec(ctx); err != nil {
		return nil, err
	}
	reply, err := losses.Slice()
	if err != nil {
		return nil, err
	}
	if len(reply) == 0 {
		return nil, errors.New("the losses script answered nothing")
	}
	first, ok := reply[0].(int64)
	if !ok || first < from {
		return nil, fmt.Errorf("the losses script answered first step %v", reply[0])
	}
	page := make([]ledger.Progress, len(reply)-1)
	for i, v := range reply[1:] {
		e, _ := v.(string)
		if len(e) != lossBytes {
			return nil, fmt.Errorf("step %d: entry of %d bytes, want %d: %w", first+int64(i), len(e), lossBytes, job.ErrCorrupt)
		}
		b := []byte(e)
		page[i] = ledger.Progress{Step: first + int64(i), Sums: ledger.Sums{
			Examples: int64(binary.LittleEndian.Uint64(b)),
			Loss:     math.Float64frombits(binary.LittleEndian.Uint64(b[8:])),
		}}
	}
	return page, nil
}
