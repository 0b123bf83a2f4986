package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tributary/coordinator/report"
	"tributary/shared/blob"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/monitor"
	"tributary/shared/notice"
	"tributary/shared/numeric"
	"tributary/shared/registry"
	"tributary/shared/replica"
)

// errLost means that the ledger no longer has everything that a finished training leaves.
var errLost = errors.New("the ledger has lost steps")

// finish folds the log to the final parameters and stores the model and the report in the
// registry. It fails with errLost if the ledger has lost steps and there is more to
// compute.
func (t *training) finish(ctx context.Context) (*job.Outcome, error) {
	if err := t.learn(ctx); err != nil {
		return nil, err
	}
	if n := t.losses.len(); n < t.round.End() {
		return nil, fmt.Errorf("read the losses: the ledger has those of %d steps: %w", n, errLost)
	}
	release, err := t.reserveMemory(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	params, err := persist(ctx, t.driver, "read the final parameters", func() ([]float32, error) { return t.parameters(ctx) })
	if err != nil {
		return nil, err
	}
	if !numeric.AllFinite(params) {
		return nil, fmt.Errorf("the final parameters are not finite: training has diverged: %w", job.ErrPoison)
	}
	curves, err := persist(ctx, t.driver, "read the evaluations", func() (report.Curves, error) { return t.curves(ctx) })
	if err != nil {
		return nil, err
	}
	outcome := t.outcome(curves)
	if len(outcome.Metrics) < len(t.splits(true)) {
		return nil, fmt.Errorf("read the evaluations: the last one is missing: %w", errLost)
	}
	files, err := t.files(ctx, outcome, params, curves)
	if err != nil {
		return nil, err
	}
	outcome.Out, err = persist(ctx, t.driver, "store the model", func() (string, error) { return t.keep(ctx, files) })
	if err == nil {
		t.reportUndefined(outcome)
	}
	return outcome, err
}

// parameters folds the update log to its end and keeps the marks of its steps.
func (t *training) parameters(ctx context.Context) ([]float32, error) {
	var params []float32
	r := replica.New(t.engine, t.ref)
	err := r.View(ctx, t.service.cfg.Ledger, t.round.End(), func([]float32, ledger.Chain) error {
		params = r.Answering(t.modelStep()) // no other code uses the replica
		return nil
	})
	if errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrStale) && t.record.StopAt > 0 { // stale: a late worker has taken more steps
		return nil, fmt.Errorf("%w: %w", err, errLost) // steps were lost between the last commit and this read
	}
	if err != nil {
		return nil, err
	}
	t.marks, err = t.history(ctx, r)
	return params, err
}

// history collects the marks of all steps: those stored beside the ledger and those of
// the steps that r has folded.
func (t *training) history(ctx context.Context, r *replica.Replica) (*history.History, error) {
	h, err := history.Load(ctx, t.service.cfg.Ledger, t.layout)
	if err != nil {
		return nil, err
	}
	// If the ledger is lost now, it may have been lost before its pages were read.
	state, err := t.service.cfg.Ledger.State(ctx, t.layout)
	if err != nil {
		return nil, err
	}
	if state.Committed < t.round.End() {
		return nil, fmt.Errorf("the ledger has %d steps: %w", state.Committed, errLost)
	}
	from, marks, err := r.Marks(ctx)
	if err != nil {
		return nil, err
	}
	return h, h.Add(from, marks)
}

// curves collects losses and evaluations, including those that another coordinator saw.
func (t *training) curves(ctx context.Context) (report.Curves, error) {
	units, err := t.service.cfg.Ledger.Evaluations(ctx, t.layout, ledger.Concluded)
	if err != nil {
		return report.Curves{}, err
	}
	curves := report.Curves{Spec: t.engine.Plan.Spec, Rate: func(step int64) float64 { return t.engine.Rate(t.monitor, step) }}
	curves.Epoch = func(step int64) int64 {
		epoch, _, _ := t.engine.Plan.Batch(step)
		return epoch + 1
	}
	for step, loss := range t.losses.known {
		curves.Losses = append(curves.Losses, report.Point{Step: int64(step) + 1, Loss: loss})
	}
	if best := t.modelStep(); best < t.round.End() {
		curves.Best = best
	}
	curves.Evaluations, err = monitor.Decode(units)
	return curves, err
}

// outcome summarizes the job.
func (t *training) outcome(c report.Curves) *job.Outcome {
	undefined := map[job.Split]map[string]string{}
	o := &job.Outcome{
		Job: t.ref.Job, Steps: t.round.End(), Choice: t.choice(), Metrics: map[job.Split]map[string]float64{}, Threshold: threshold(c, t.modelStep()),
		Seconds: t.stepping.Seconds(), SamplesPerSecond: t.losses.rate(t.stepping), StepMS: t.pace.times(),
	}
	for _, e := range c.Evaluations {
		if e.Step == t.modelStep() {
			o.Metrics[e.Split] = maps.Clone(e.Metrics)
			if len(e.Undefined) > 0 {
				undefined[e.Split] = maps.Clone(e.Undefined)
			}
		}
	}
	if best := t.modelStep(); best < o.Steps {
		o.BestStep = best
	}
	if len(undefined) > 0 {
		o.Undefined = undefined
	}
	if loss, ok := o.Metrics[job.Train][job.LossFigure]; ok {
		o.TrainLoss = &loss
	}
	return o
}

// reportUndefined reports in one note which metrics of which splits could not be computed.
func (t *training) reportUndefined(o *job.Outcome) {
	var list []string
	for _, split := range job.Splits {
		for _, name := range slices.Sorted(maps.Keys(o.Undefined[split])) {
			list = append(list, fmt.Sprintf("%s %s: %s", split, name, o.Undefined[split][name]))
		}
	}
	if len(list) > 0 {
		t.publish(notice.Event{Type: notice.NoteEvent, Step: o.Steps, Steps: o.Steps, Message: "could not be computed: " + strings.Join(list, "; ")})
	}
}

// files encodes all files that the job leaves.
func (t *training) files(ctx context.Context, o *job.Outcome, params []float32, c report.Curves) (map[string][]byte, error) {
	manifest, err := json.Marshal(t.engine.Plan.Dataset)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	data := &t.engine.Plan.Dataset
	m, err := registry.New(registry.Card{
		ID: t.ref.Job, Run: t.ref.Run, Name: t.record.Name, Created: t.service.cfg.Now().UTC(),
		Spec: t.described(), Preprocessing: data.Preprocessing, Classes: data.Classes,
		Features: data.Features, Outputs: t.engine.Network.Outputs(),
		Steps: o.Steps, BestStep: o.BestStep, Choice: o.Choice, TrainLoss: o.TrainLoss, Metrics: o.Metrics, Undefined: o.Undefined, Confusion: confusion(c, t.modelStep()), Threshold: o.Threshold,
		Datasets: t.record.Datasets, Weight: data.Weight, ClassRows: data.ClassRows,
		Dataset: blob.DigestOf(manifest), Plan: t.record.Plan, Numerics: t.record.Numerics,
	}, t.engine.Weights(params))
	if err != nil {
		return nil, fmt.Errorf("make model: %w", err)
	}
	if err := t.describe(ctx, m); err != nil {
		return nil, err
	}
	o.ParametersSHA256 = m.Card.ParametersSHA256
	files, err := registry.Encode(m)
	if err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	steps := history.File{Plan: t.record.Plan, ChunkLen: t.layout.ChunkLen, History: *t.marks}
	if files[history.FileName], err = steps.Encode(o.Steps); err != nil {
		return nil, err
	}
	maps.Copy(files, t.report(c))
	return files, nil
}

// confusion returns the confusion matrices after the last step, by split; nil if there are
// none.
func confusion(c report.Curves, steps int64) map[job.Split]*job.Confusion {
	var of map[job.Split]*job.Confusion
	for _, e := range c.Evaluations {
		if e.Step != steps || e.Confusion == nil {
			continue
		}
		if of == nil {
			of = map[job.Split]*job.Confusion{}
		}
		of[e.Split] = e.Confusion
	}
	return of
}

// report makes the files that show the course of training. If that fails, the job loses
// these files but keeps its model.
func (t *training) report(c report.Curves) map[string][]byte {
	var files map[string][]byte
	err := t.service.contain("make the report", t.ref, func() (err error) {
		files, err = t.service.cfg.Report(c)
		return err
	})
	if err != nil {
		t.publish(notice.Event{Type: notice.ErrorEvent, Step: t.round.Committed(), Message: fmt.Sprintf(
			"the report could not be made, and the model is stored without it: %s", job.Sentence(err))})
	}
	return files
}

// checkOwned fails if this driver no longer owns the job. The registry has no
// compare-and-set. An owner that is paused between here and the write usually repeats the
// bytes of a model of the same run, which is harmless. The id belongs to another run by
// then only if the pause at exactly this place takes seconds.
func (t *training) checkOwned(ctx context.Context) error {
	r, _, err := t.service.cfg.Records.Get(ctx, t.ref.Job)
	if err != nil {
		return err
	}
	return t.checkOwner(r)
}

// keep stores the files in the registry. It stores the card last, so that a model with a
// card is complete. Then it sets the spec's name as an alias of the newest model of that
// name. Finally it calls Config.Keep.
func (t *training) keep(ctx context.Context, files map[string][]byte) (out string, err error) {
	cfg, id := t.service.cfg, string(t.ref.Job)
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return name == registry.CardFile })
	for _, name := range append(names, registry.CardFile) {
		if err := t.checkOwned(ctx); err != nil {
			return "", err
		}
		if err := cfg.Models.PutFile(ctx, id, name, bytes.NewReader(files[name])); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := t.name(ctx); err != nil {
		return "", fmt.Errorf("name %s: %w", t.record.Name, err)
	}
	if cfg.Keep == nil {
		return registryFolder + id, nil
	}
	if out, err = cfg.Keep(t.ref.Job, files); err != nil {
		t.publish(notice.Event{Type: notice.ErrorEvent, Step: t.round.Committed(), Message: "the model is only in the registry: " + sentence(err)})
		return registryFolder + id, nil
	}
	return out, nil
}

// registryFolder is the location of the model in a job's outcome, without the id.
const registryFolder = "tributary-models/"

// name sets the spec's name as an alias of the model. An id always means its own job.
func (t *training) name(ctx context.Context) error {
	name, models := t.record.Name, t.service.cfg.Models
	if err := models.SetAlias(ctx, name, string(t.ref.Job)); err != nil || name == string(t.ref.Job) {
		return err
	}
	taken, err := models.Has(ctx, name)
	if taken {
		t.publish(notice.Event{Type: notice.NoteEvent, Step: t.round.Committed(), Message: fmt.Sprintf(
			"the name %s is the id of another job, and stands for that job's model; use the id %s for this model", name, t.ref.Job)})
	}
	return err
}
