package e2e

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/broker"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// verified requests a verification and returns the answer.
func (w *world) verified(payload string) job.Verification {
	w.t.Helper()
	m := w.ask("tributary.jobs.verify", payload)
	require.Empty(w.t, m.Header, "%s", m.Data)
	return decode[job.Verification](w.t, m.Data)
}

// A finished job is verified step by step over NATS, and later changes are found.
func TestAFinishedJobIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	w.work()
	text := long("line", 300)
	w.submit(text)
	s := w.follow("line")
	s.succeeded(reference(t, text))
	steps := w.record("line").Outcome.Steps

	v := w.verified(`{"id":"line","all":true,"wait":50}`)
	require.Equal(t, job.Verified, v.State, "%+v", v)
	require.Equal(t, steps, v.Compared)
	require.Equal(t, w.record("line").Outcome.ParametersSHA256, v.ParametersSHA256)
	told := s.until("the end of the verification", func(e notice.Event) bool {
		return e.Type == notice.VerificationEvent && e.Verification.State != job.Verifying
	})
	require.Equal(t, v, *told.Verification)
	require.Contains(t, told.Message, "verified: all is as recorded")

	v = w.verified(`{"id":"line","steps":[41],"wait":50}`)
	require.Equal(t, job.Verified, v.State)
	require.EqualValues(t, 42, v.Compared)
	v = w.verified(`{"id":"line","sample":3,"wait":50}`)
	require.Equal(t, job.Verified, v.State)
	require.Len(t, v.Sample, 3)

	// With a ticket; the result comes as an event.
	v = w.verified(`{"id":"line","wait":0}`)
	require.Equal(t, job.Verifying, v.State)
	require.NotEmpty(t, v.Ticket)
	s.until("the ticket's end", func(e notice.Event) bool {
		return e.Type == notice.VerificationEvent && e.Verification.Ticket == v.Ticket && e.Verification.State == job.Verified
	})

	require.Contains(t, w.refused("tributary.jobs.verify", `{"id":"line","steps":[9999]}`, 400), "steps: 9999: the job has committed ")
	require.Contains(t, w.refused("tributary.jobs.verify", `{"id":"line","wait":60}`, 400), "wait: 60: want 0 to 50 seconds")
	require.Contains(t, w.refused("tributary.jobs.verify", `{"id":"line","step":1}`, 400), `"steps": [41]`)
	require.Contains(t, w.refused("tributary.jobs.verify", "nobody", 404), `there is no job "nobody"`)

	// A mark in the model is changed; then a block is lost.
	objects, err := w.js.ObjectStore(t.Context(), broker.ModelBucket)
	require.NoError(t, err)
	data, err := objects.GetBytes(t.Context(), "line/"+history.FileName)
	require.NoError(t, err)
	f, err := history.Decode(data)
	require.NoError(t, err)
	changed := history.File{Plan: f.Plan, ChunkLen: f.ChunkLen}
	marks := f.History.Marks(steps)
	marks[7] = ledger.Mark{1}
	require.NoError(t, changed.History.Add(0, marks))
	data, err = changed.Encode(steps)
	require.NoError(t, err)
	_, err = objects.PutBytes(t.Context(), "line/"+history.FileName, data)
	require.NoError(t, err)
	v = w.verified(`{"id":"line","wait":50}`)
	require.Equal(t, job.Differs, v.State)
	require.EqualValues(t, 7, v.Difference.Step)
	require.Contains(t, v.Difference.Message, "step 7: the record has mark 0100000000000000; recorded 0100000000000000, recomputed ")

	w.loseBlocks("line")
	message := w.refused("tributary.jobs.verify", `{"id":"line","steps":[3],"wait":50}`, 404)
	require.Contains(t, message, "read block 0 of the train split")
}

// loseBlocks removes every blob except the plan and the checkpoints.
func (w *world) loseBlocks(id job.ID) {
	w.t.Helper()
	objects, err := w.js.ObjectStore(w.t.Context(), broker.BlobBucket)
	require.NoError(w.t, err)
	infos, err := objects.List(w.t.Context())
	require.NoError(w.t, err)
	plan := string(w.record(id).Plan)
	for _, info := range infos {
		data, err := objects.GetBytes(w.t.Context(), info.Name)
		require.NoError(w.t, err)
		if info.Name != plan && bytes.HasPrefix(data, []byte("TRVb")) {
			require.NoError(w.t, objects.Delete(w.t.Context(), info.Name))
		}
	}
}

// A paused job is verified against its log.
func TestAPausedJobIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	w.work()
	w.submit(long("line", 1_000_000))
	s := w.follow("line")
	s.underway()
	w.ask("tributary.jobs.pause", "line")
	var v job.Verification
	w.eventually("the job stands still", func() bool {
		before := w.verified(`{"id":"line","steps":[0],"wait":50}`).Committed
		<-time.After(100 * time.Millisecond)
		v = w.verified(`{"id":"line","steps":[0],"wait":50}`)
		return v.Committed == before
	})
	last, err := json.Marshal(map[string]any{"id": "line", "steps": []int64{v.Committed - 1}, "wait": 50})
	require.NoError(t, err)
	v = w.verified(string(last))
	require.Equal(t, job.Verified, v.State, "%+v", v)
	require.Equal(t, v.Computed, v.Compared)
	w.ask("tributary.jobs.cancel", "line")
	s.end()
}
