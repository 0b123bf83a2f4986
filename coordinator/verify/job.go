package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/dustin/go-humanize"

	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/plan"
	"tributary/shared/registry"
)

// Records reads the records of jobs.
type Records interface {
	// Get fails with job.ErrNotFound if there is no record.
	Get(ctx context.Context, id job.ID) (job.Record, uint64, error)
}

// Models reads the registry's files.
type Models interface {
	// ReadFile calls read with a file and its size in bytes. It may call read again. It
	// fails with job.ErrNotFound.
	ReadFile(ctx context.Context, model, file string, read func(r io.Reader, size int64) error) error
}

// Jobs collects what a verification of a job needs.
type Jobs struct {
	Records Records
	Models  Models
	Blobs   blob.Store
	Ledger  Ledger
	// Memory is the maximum number of bytes for a verification; 0: unknown, no limit. A
	// job that needs more is refused.
	Memory int64
}

// Open collects the records of a job.
func (j *Jobs) Open(ctx context.Context, id job.ID) (*Subject, error) {
	r, _, err := j.Records.Get(ctx, id)
	if errors.Is(err, job.ErrNotFound) {
		return nil, fmt.Errorf("there is no job %q: %w", id, job.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if r.Plan == "" {
		return nil, fmt.Errorf("job %q is %s and has no plan yet, so there is no step to verify: %w", id, r.State, job.ErrConflict)
	}
	if err := checkNumerics(fmt.Sprintf("job %q", id), r.Numerics); err != nil {
		return nil, err
	}
	s := &Subject{ID: id, Store: j.Blobs, History: &history.History{}}
	if err := j.compile(ctx, s, r); err != nil {
		return nil, err
	}
	for _, c := range r.Checkpoints {
		s.Starts = append(s.Starts, j.checkpoint(c))
	}
	switch {
	case r.State == job.Succeeded:
		err = j.finished(ctx, s, r)
	case r.Released:
		err = j.ended(ctx, s, r)
	default:
		err = j.running(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	if s.Committed < 1 {
		return nil, fmt.Errorf("job %q is %s, and no record of its committed steps is left: %w", id, r.State, job.ErrConflict)
	}
	slices.SortFunc(s.Starts, func(a, b Start) int { return cmp.Compare(a.Step, b.Step) })
	return s, nil
}

// compile reads the plan that the record names.
func (j *Jobs) compile(ctx context.Context, s *Subject, r job.Record) error {
	data, err := blob.Fetch(ctx, j.Blobs, r.Plan)
	if err != nil {
		return fmt.Errorf("the plan of job %q, blob %s: %w", r.ID, r.Plan, err)
	}
	p, err := plan.Decode(data)
	if err != nil {
		return fmt.Errorf("the plan of job %q: %w", r.ID, err)
	}
	need, err := gradient.NeedOf(p)
	if err != nil {
		return fmt.Errorf("the plan of job %q: %w", r.ID, err)
	}
	if all := need.Worker(); j.Memory > 0 && all > j.Memory {
		return fmt.Errorf("to compute steps of job %q again takes %s of memory, and this coordinator has %s; run coordinator verify where there is more: %w",
			r.ID, humanize.Bytes(uint64(all)), humanize.Bytes(uint64(j.Memory)), job.ErrFull)
	}
	if s.Engine, err = gradient.Compile(ctx, p, j.Blobs, dataset.NewCache(j.Blobs, blockCache)); err != nil {
		return fmt.Errorf("the plan of job %q: %w", r.ID, err)
	}
	s.Layout = s.Engine.Layout(r.Ref())
	if s.Layout.Plan != r.Plan {
		return fmt.Errorf("the plan of job %q is %s; this program reads it as %s, so another version wrote it: want a program of that version: %w",
			r.ID, r.Plan, s.Layout.Plan, job.ErrConflict)
	}
	return nil
}

// checkpoint returns a recorded checkpoint as a Start.
func (j *Jobs) checkpoint(c job.Checkpoint) Start {
	return Start{Step: c.Step, Name: fmt.Sprintf("the checkpoint after step %d", c.Step), Read: func(ctx context.Context) (ledger.Snapshot, error) {
		m, err := checkpoint.Open(ctx, j.Blobs, c.Digest)
		if err != nil {
			return ledger.Snapshot{}, err
		}
		state, err := m.Read(ctx, j.Blobs)
		if err != nil {
			return ledger.Snapshot{}, err
		}
		return state.Snapshot, nil
	}}
}

// finished collects what a succeeded job leaves: its outcome and the history in its
// model.
func (j *Jobs) finished(ctx context.Context, s *Subject, r job.Record) error {
	s.Committed = s.Engine.Plan.Steps()
	if r.Outcome != nil {
		s.Committed = min(s.Committed, r.Outcome.Steps)
		s.Final = r.Outcome.ParametersSHA256
	}
	s.Saved = func(ctx context.Context) error {
		return j.Models.ReadFile(ctx, string(r.ID), registry.WeightsFile, func(r io.Reader, size int64) error {
			return checkWeights(s, r, size)
		})
	}
	var data []byte
	err := j.Models.ReadFile(ctx, string(r.ID), history.FileName, func(r io.Reader, size int64) (err error) {
		data, err = readHistory(r, size)
		return err
	})
	switch {
	case errors.Is(err, job.ErrNotFound):
		s.Notes = append(s.Notes, fmt.Sprintf("model %s has no %s, so its steps cannot be compared one by one", r.ID, history.FileName))
		return j.checkpointed(ctx, s, r)
	case err != nil:
		return err
	}
	return s.take(data)
}

// readHistory reads the history of a model; size is in bytes.
func readHistory(r io.Reader, size int64) ([]byte, error) {
	if size > history.MaxFile {
		return nil, fmt.Errorf("%s has %d bytes: at most %d are read: %w", history.FileName, size, history.MaxFile, job.ErrInvalid)
	}
	data := make([]byte, size)
	_, err := io.ReadFull(r, data)
	return data, err
}

// take sets the history from a model's file.
func (s *Subject) take(data []byte) error {
	f, err := history.Decode(data)
	if err != nil {
		return err
	}
	if f.Plan != s.Layout.Plan || f.History.Steps() > s.Committed {
		return fmt.Errorf("%s is of plan %s and %d steps; want %s and %d: %w", history.FileName, f.Plan, f.History.Steps(), s.Layout.Plan, s.Committed, job.ErrCorrupt)
	}
	s.History = &f.History
	return nil
}

// checkWeights fails with job.ErrCorrupt unless the file has the final parameters of the
// subject.
func checkWeights(s *Subject, r io.Reader, size int64) error {
	weights := s.Engine.Network.NewWeights()
	if err := registry.ReadWeights(r, size, s.Engine.Network.Tensors(), weights); err != nil {
		return fmt.Errorf("%s: %w: %w", registry.WeightsFile, err, job.ErrCorrupt)
	}
	if n, _ := unequal(weights.Frozen, s.Engine.Weights(nil).Frozen); n > 0 {
		return fmt.Errorf("%s has other frozen parameters than the job began with: %w", registry.WeightsFile, job.ErrCorrupt)
	}
	if got := registry.ParametersDigest(weights.Trained); s.Final != "" && got != s.Final {
		return fmt.Errorf("%s has parameters %s; recorded are %s: %w", registry.WeightsFile, got, s.Final, job.ErrCorrupt)
	}
	return nil
}

// checkpointed sets the history from the newest checkpoint that has one.
func (j *Jobs) checkpointed(ctx context.Context, s *Subject, r job.Record) error {
	for _, c := range r.Checkpoints { // the newest first
		m, err := checkpoint.Open(ctx, j.Blobs, c.Digest)
		var marks []ledger.Mark
		if err == nil {
			marks, err = m.History(ctx, j.Blobs)
		}
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			s.Notes = append(s.Notes, fmt.Sprintf("the history in the checkpoint after step %d cannot be read: %s", c.Step, job.Sentence(err)))
			continue
		}
		if err := s.History.Add(0, marks); err != nil {
			return err
		}
		if len(marks) > 0 {
			return nil
		}
	}
	return nil
}

// ended collects what remains of a job that has neither model nor ledger.
func (j *Jobs) ended(ctx context.Context, s *Subject, r job.Record) error {
	if len(r.Checkpoints) > 0 {
		s.Committed = r.Checkpoints[0].Step
	}
	return j.checkpointed(ctx, s, r)
}

// running collects what the ledger has of a job.
func (j *Jobs) running(ctx context.Context, s *Subject) error {
	s.Ledger, s.Running = j.Ledger, true
	return s.follow(ctx)
}
