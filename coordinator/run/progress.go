package run

import (
	"context"
	"fmt"
	"math"

	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// reportProgress reads the losses of new steps and publishes the progress.
func (t *training) reportProgress(ctx context.Context) error {
	t.reportedAt = t.service.now()
	err := t.learn(ctx) // also the losses before a step that has diverged
	if t.losses.len() == t.reportedSteps {
		return err
	}
	t.reportedSteps = t.losses.len()
	t.publish(notice.Event{
		Type: notice.ProgressEvent, Step: t.losses.len(), Steps: t.round.End(), Epoch: t.epoch(),
		Loss: t.losses.latest(), SamplesPerSecond: t.losses.rate(t.stepping), Workers: t.service.workers(), GradientNorm: t.norm,
	})
	return err
}

// learn reads the losses of new steps and stops a job that has diverged.
func (t *training) learn(ctx context.Context) error {
	from, to := t.losses.len(), t.round.Committed()
	if from >= to {
		return nil
	}
	progress, err := checkpoint.Losses(ctx, t.service.cfg.Ledger, t.layout, from, to)
	if err != nil {
		return t.unreachable(ctx, err)
	}
	for _, p := range progress {
		loss := t.engine.MeanLoss(p.Sums)
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return fmt.Errorf("step %d of %d: the loss is %v: training has diverged; a lower learning rate or scaled data may help: %w", p.Step+1, t.engine.Plan.Steps(), loss, job.ErrPoison)
		}
		t.losses.add(loss, t.engine.Rows(p.Step, p.Sums))
	}
	t.service.steps.Add(float64(len(progress)))
	return nil
}

// epoch returns the number of epochs that have begun.
func (t *training) epoch() int64 {
	epoch, _, _ := t.engine.Plan.Batch(max(0, t.round.Committed()-1))
	return epoch + 1
}
