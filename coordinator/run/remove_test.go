package run_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

// A job and its training state can be removed, whatever happened to its plan.
func TestAJobIsRemovedWithoutItsPlan(t *testing.T) {
	for name, spoil := range map[string]func(*world, *job.Record){
		"lost":             func(w *world, r *job.Record) { require.NoError(w.t, w.blobs.Delete(w.t.Context(), r.Plan)) },
		"of a version ago": func(w *world, r *job.Record) { r.Plan = w.put(`{"version":0,"chunk":7}`) },
		"that is no plan":  func(w *world, r *job.Record) { r.Plan = w.put("\x00") },
		"of too many units": func(w *world, r *job.Record) {
			r.Plan = w.put(`{"version":1,"chunk_len":8,"spec":{"batch":1,"microbatches":1,"epochs":1,"model":{"layers":[{"dense":{"units":99999999}}]}}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.service("a")
			w.halt(5)
			w.run(s, 1)
			w.submit(line("a", 30))
			w.until("steps", func() bool { return w.records["a"].State == job.Running })
			require.NoError(t, w.ask(s, job.Cancel, "a"))
			r := w.ended("a")
			lay := ledger.Layout{Ref: r.Ref(), Plan: r.Plan, Params: 2, ChunkLen: 64 << 10, Microbatch: 1}
			_, err := w.ledger.PutEvaluation(t.Context(), lay, 9, "a straggler's", nil)
			require.NoError(t, err)
			w.change(func() {
				spoil(w, &r)
				r.Released = false
				w.records["a"] = r
				w.revisions["a"]++
			})
			w.ended("a")
			require.NoError(t, w.ask(s, job.Remove, "a"))
			require.NotContains(t, w.records, job.ID("a"))
			units, err := w.ledger.Evaluations(t.Context(), lay, 9)
			require.NoError(t, err)
			require.Empty(t, units)
		})
	}
}

func (w *world) put(text string) job.Digest {
	digest, err := w.blobs.Put(w.t.Context(), []byte(text))
	require.NoError(w.t, err)
	require.Equal(w.t, blob.DigestOf([]byte(text)), digest)
	return digest
}

// A record with a spec that the API would refuse fails its job, and no coordinator.
func TestARecordedSpecIsChecked(t *testing.T) {
	w := newWorld(t)
	w.coordinate(1)
	w.submit(line("good", 30))
	w.change(func() {
		r := w.records["good"]
		r.ID, r.Spec = "crash", []byte(`{"name":"line","data":{"inline":{"x":[1],"y":[2]}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":0,"epochs":1}`)
		r.State, r.Plan = job.Submitted, ""
		w.records["crash"] = r
		w.revisions["crash"]++
	})
	r := w.ended("crash")
	require.Equal(t, job.Failed, r.State)
	require.Contains(t, r.Error, "batch: 0")
	require.Equal(t, job.Succeeded, w.ended("good").State)
}
