package run

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize"

	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/plan"
)

// account returns the memory that a worker needs for a plan's job. It refuses a job whose
// end needs more memory than this coordinator has.
func (s *Service) account(p *plan.Plan) (int64, error) {
	need, err := gradient.NeedOf(p)
	if err != nil {
		return 0, err
	}
	if has := s.cfg.Memory; has > 0 && need.Coordinator > has {
		return 0, fmt.Errorf("model: to make a model of %s parameters, the coordinator needs %s of memory, and it has %s; "+
			"give it more memory, or the model fewer parameters: %w",
			humanize.Comma(int64(need.Params())), humanize.Bytes(uint64(need.Coordinator)), humanize.Bytes(uint64(has)), job.ErrInvalid)
	}
	return need.Worker(), nil
}

// reserveMemory reserves memory in this coordinator for the job's vectors and waits until
// it is free. The coordinator needs it at the job's end and to restore a checkpoint. The
// reservation ends when release is called.
func (t *training) reserveMemory(ctx context.Context) (release func(), err error) {
	need, err := gradient.NeedOf(t.engine.Plan)
	if err != nil {
		return nil, err
	}
	s := t.service
	if s.ends == nil {
		return func() {}, nil
	}
	n := min(need.Coordinator, s.cfg.Memory) // the plan may come from a coordinator with more memory
	if !s.ends.TryAcquire(n) {
		t.waitFor(ctx, fmt.Sprintf("waiting: the job needs %s of memory in the coordinator for a moment; other jobs use it now", humanize.Bytes(uint64(n))))
		if err := s.ends.Acquire(ctx, n); err != nil {
			return nil, context.Cause(ctx)
		}
		t.waitFor(ctx, "")
	}
	return func() { s.ends.Release(n) }, nil
}
