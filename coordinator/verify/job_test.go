package verify

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger/memory"
	"tributary/shared/notice"
	"tributary/shared/registry"
)

// Get implements Records.
func (s *stores) Get(_ context.Context, id job.ID) (job.Record, uint64, error) {
	if id != s.record.ID {
		return job.Record{}, 0, job.ErrNotFound
	}
	return s.record, 1, nil
}

// ReadFile implements Models.
func (s *stores) ReadFile(_ context.Context, model, file string, read func(io.Reader, int64) error) error {
	if data, ok := s.files[model+"/"+file]; ok {
		return read(bytes.NewReader(data), int64(len(data)))
	}
	return job.ErrNotFound
}

func (s *stores) open(ctx context.Context, id job.ID) (*Subject, error) {
	return (&Jobs{Records: s, Models: s, Blobs: s.blobs, Ledger: s.log}).Open(ctx, id)
}

// verify opens the job and verifies it.
func (s *stores) verify(t *testing.T, r Request) job.Verification {
	t.Helper()
	subject, err := s.open(t.Context(), ref.Job)
	require.NoError(t, err)
	return verify(t, subject, r)
}

// finish makes the job a succeeded one with a deleted ledger.
func (s *stores) finish(t *testing.T) {
	t.Helper()
	f := history.File{Plan: s.layout.Plan, ChunkLen: s.layout.ChunkLen}
	require.NoError(t, f.History.Add(0, s.marks))
	steps, err := f.Encode(16)
	require.NoError(t, err)
	weights, err := registry.EncodeWeights(s.e.Network.Tensors(), s.e.Weights(s.folds[16].Vectors[0]))
	require.NoError(t, err)
	s.files = map[string][]byte{"j/" + history.FileName: steps, "j/" + registry.WeightsFile: weights}
	s.record.State, s.record.Released, s.log = job.Succeeded, true, memory.New()
	s.record.Outcome = &job.Outcome{Steps: 16, ParametersSHA256: registry.ParametersDigest(s.folds[16].Vectors[0])}
}

func TestAJobThatTheCoordinatorCannotHoldIsNotVerified(t *testing.T) {
	s := newStores(t)
	jobs := &Jobs{Records: s, Models: s, Blobs: s.blobs, Ledger: s.log, Memory: 1 << 20}
	_, err := jobs.Open(t.Context(), ref.Job)
	require.ErrorIs(t, err, job.ErrFull)
	require.ErrorContains(t, err, "of memory, and this coordinator has 1.0 MB; run coordinator verify where there is more")
	jobs.Memory = 1 << 30
	_, err = jobs.Open(t.Context(), ref.Job)
	require.NoError(t, err)
}

func TestASucceededJob(t *testing.T) {
	s := newStores(t)
	s.finish(t)
	v := s.verify(t, Request{})
	require.Equal(t, job.Verified, v.State)
	require.Equal(t, s.record.Outcome.ParametersSHA256, v.ParametersSHA256)
	require.EqualValues(t, 16, v.Compared)
	require.Empty(t, v.Notes)
	v = s.verify(t, Request{Steps: []int64{7}})
	require.EqualValues(t, 2, v.Computed, "from the checkpoint on")

	s.files["j/"+registry.WeightsFile][len(s.files["j/"+registry.WeightsFile])-1] ^= 1
	require.Contains(t, s.verify(t, Request{}).Difference.Message, "the saved model: model.safetensors has parameters ")
	delete(s.files, "j/"+registry.WeightsFile)
	delete(s.files, "j/"+history.FileName)
	v = s.verify(t, Request{})
	require.Equal(t, job.Verified, v.State)
	require.EqualValues(t, 6, v.Compared, "the checkpoint has the marks of the steps before it")
	require.Len(t, v.Notes, 2)
}

// A cancelled job has left only its checkpoints.
func TestACancelledJob(t *testing.T) {
	s := newStores(t)
	s.record.State, s.record.Released, s.log = job.Cancelled, true, memory.New()
	v := s.verify(t, Request{})
	require.Equal(t, job.Verified, v.State)
	require.EqualValues(t, 6, v.Committed)
	require.EqualValues(t, 6, v.Compared)
	s.record.Checkpoints = nil
	_, err := s.open(t.Context(), ref.Job)
	require.ErrorIs(t, err, job.ErrConflict)
	require.ErrorContains(t, err, `job "j" is cancelled, and no record of its committed steps is left`)
}

func TestJobsThatCannotBeVerified(t *testing.T) {
	s := newStores(t)
	_, err := s.open(t.Context(), "k")
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorContains(t, err, `there is no job "k"`)

	s.record.Numerics = "other"
	_, err = s.open(t.Context(), ref.Job)
	require.ErrorIs(t, err, job.ErrConflict)
	require.ErrorContains(t, err, `job "j" was computed with the arithmetic "other"; this program computes with "`)
	s.record.Numerics = ""

	lost := s.record.Plan
	s.record.Plan = "ab"
	_, err = s.open(t.Context(), ref.Job)
	require.ErrorContains(t, err, `the plan of job "j", blob ab: `)
	s.record.Plan = ""
	_, err = s.open(t.Context(), ref.Job)
	require.ErrorContains(t, err, `job "j" is paused and has no plan yet`)
	s.record.Plan = lost

	s.finish(t)
	s.files["j/"+history.FileName][70] ^= 1
	_, err = s.open(t.Context(), ref.Job)
	require.ErrorIs(t, err, job.ErrCorrupt)
	s.files["j/"+history.FileName], err = (&history.File{Plan: s.record.Checkpoints[0].Digest, ChunkLen: 7}).Encode(16)
	require.NoError(t, err)
	_, err = s.open(t.Context(), ref.Job)
	require.ErrorContains(t, err, "steps.bin is of plan ")
}

// events collects the published events.
type events chan notice.Event

func (e events) Publish(n notice.Event) error { e <- n; return nil }

// end returns the end event of the next verification. The number of events before it
// varies.
func (e events) end() notice.Event {
	for n := range e {
		if n.Verification == nil || n.Verification.State != job.Verifying {
			return n
		}
	}
	return notice.Event{}
}

// The runner answers at once with a ticket if the work takes longer, and events report the
// rest.
func TestRunner(t *testing.T) {
	s := newStores(t)
	events := make(events, 100)
	d := NewRunner(s.open, events)
	v, err := d.Ask(t.Context(), ref.Job, Request{Sample: 3}, 0)
	require.NoError(t, err)
	require.Equal(t, job.Verifying, v.State)
	require.EqualValues(t, 16, v.Committed)
	for range maxPending - 1 {
		_, err = d.Ask(t.Context(), ref.Job, Request{}, 0)
		require.NoError(t, err)
	}
	_, err = d.Ask(t.Context(), ref.Job, Request{}, 0)
	require.ErrorIs(t, err, job.ErrFull, "nobody works yet")
	for range 2 { // also before a caller waits
		_, err = d.Ask(t.Context(), ref.Job, Request{Steps: []int64{16}}, time.Hour)
		require.ErrorIs(t, err, job.ErrInvalid)
		_, err = d.Ask(t.Context(), "k", Request{}, time.Hour)
		require.ErrorIs(t, err, job.ErrNotFound)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { d.Run(ctx); close(ended) }()
	first := events.end()
	require.Equal(t, v.Ticket, first.Verification.Ticket)
	require.Equal(t, job.Verified, first.Verification.State)
	require.Equal(t, notice.VerificationEvent, first.Type)
	require.NoError(t, first.Validate())
	require.Len(t, first.Verification.Sample, 3)
	for range maxPending - 1 {
		events.end()
	}
	v, err = d.Ask(t.Context(), ref.Job, Request{}, time.Hour)
	require.NoError(t, err)
	require.Equal(t, job.Verified, v.State)

	// If the result cannot be found out, the caller and the events get an error.
	events.end()
	require.NoError(t, s.store.Delete(t.Context(), s.e.Plan.Dataset.Splits[job.Train][1].Digest))
	_, err = d.Ask(t.Context(), ref.Job, Request{}, time.Hour)
	require.ErrorIs(t, err, job.ErrNotFound)
	require.Contains(t, events.end().Message, "not verified: ")
	stop()
	<-ended
}

func TestWhatPeopleRead(t *testing.T) {
	require.Equal(t, "verifying: 3 steps computed again, 2 of them compared with what was recorded",
		Sentence(job.Verification{State: job.Verifying, Computed: 3, Compared: 2}))
	require.Contains(t, Sentence(job.Verification{State: job.Differs, Difference: &job.Difference{Message: "x"}}), "not as recorded: x")
}
