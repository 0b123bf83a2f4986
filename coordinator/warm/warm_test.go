package warm_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/coordinator/warm"
	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/model"
	"tributary/shared/plan"
	"tributary/shared/registry"
)

// records has one job: a line with 1 feature, W [1, 1], b [1].
type records struct{ r job.Record }

func (r *records) Get(_ context.Context, id job.ID) (job.Record, uint64, error) {
	if id != r.r.ID {
		return job.Record{}, 0, fmt.Errorf("get record of %s: %w", id, job.ErrNotFound)
	}
	return r.r, 1, nil
}

type models map[string][]byte

func (m models) OpenFile(_ context.Context, model, file string) (io.ReadCloser, error) {
	data, ok := m[model+"/"+file]
	if !ok {
		return nil, job.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

var spec = job.Spec{
	Model: job.Model{Layers: []job.Layer{{Dense: &job.Dense{Units: 1}}}, Init: job.Init{Scheme: job.Zeros}}, Loss: job.MSE,
	Optimizer: job.Optimizer{SGD: &job.SGD{LearningRate: 0.1}}, Batch: 1, Microbatches: 1, Steps: 3,
}

// save stores a checkpoint of the parameters and momentum after some steps.
func (r *records) save(t *testing.T, blobs blob.Store, step int64, params []float32) {
	t.Helper()
	s := &checkpoint.State{
		Ref: r.r.Ref(), Plan: r.r.Plan, Losses: make([]ledger.Sums, step),
		Snapshot: ledger.Snapshot{Step: step, Vectors: [][]float32{params, {7, 7}}, Chain: ledger.Chain{{}}},
	}
	d, err := checkpoint.NewDraft(s)
	require.NoError(t, err)
	require.NoError(t, d.Write(t.Context(), blobs, func() {}))
	r.r.Checkpoints, _ = job.WithCheckpoint(r.r.Checkpoints, job.Checkpoint{Step: step, Digest: d.Digest, Time: time.Now()}, 9)
}

func TestParametersOfOtherJobs(t *testing.T) {
	blobs := blob.NewMemory(0)
	p := &plan.Plan{Version: plan.Version, Spec: spec, ChunkLen: 4, Dataset: dataset.Manifest{
		Version: 1, Features: 1, Targets: 1,
		Preprocessing: &dataset.Preprocessing{Columns: []dataset.Column{{Name: "x", Kind: dataset.Numeric, Scale: 1}}},
		Splits:        map[job.Split][]dataset.BlockRef{job.Train: {{Digest: blob.DigestOf(nil), Rows: 1, Bytes: 72}}},
	}}
	encoded, digest, err := p.Encode()
	require.NoError(t, err)
	_, err = blobs.Put(t.Context(), encoded)
	require.NoError(t, err)
	network, err := model.New(spec.Model, model.Table(1))
	require.NoError(t, err)
	final, err := registry.EncodeWeights(network.Tensors(), model.Weights{Trained: []float32{5, 6}})
	require.NoError(t, err)

	r := &records{job.Record{ID: "line", Run: "r", State: job.Running, Plan: digest}}
	roots := &ingest.Roots{Job: (&warm.Jobs{Records: r, Models: models{"line/model.safetensors": final}, Blobs: blobs}).Open}
	read := func(source string) ([]float32, error) {
		require.NoError(t, roots.Allowed(source))
		f, err := roots.Open(t.Context(), source)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		require.NoError(t, err)
		params := make([]float32, 2)
		return params, registry.LoadWeights(data, network.Tensors(), model.Weights{Trained: params})
	}
	refused := func(source, want string) {
		t.Helper()
		_, err := read(source)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	same := func(source string, want ...float32) {
		t.Helper()
		got, err := read(source)
		require.NoError(t, err)
		require.Equal(t, want, got, source)
	}

	refused("job:line", "job line is running and has neither model nor checkpoint")
	refused("checkpoint:line@3", "has neither model nor checkpoint")
	r.save(t, blobs, 3, []float32{1, 2})
	r.save(t, blobs, 5, []float32{3, 4})
	same("checkpoint:line@3", 1, 2)
	same("job:line", 3, 4)
	r.r.State = job.Succeeded
	same("job:line", 5, 6)
	same("checkpoint:line@5", 3, 4)

	refused("checkpoint:line@4", "no checkpoint after step 4; it has checkpoints after steps 5, 3")
	refused("job:other", `there is no job "other" and no model of it`)
	refused("checkpoint:other@3", `there is no job "other"; removing a job also removes its checkpoints`)
	refused("job:UPPER", "want 1 to 64 of")
	refused("checkpoint:line", "want checkpoint:<job>@<step>")
	refused("checkpoint:line@0", "want checkpoint:<job>@<step>")
	refused("checkpoint:line@x", "want checkpoint:<job>@<step>")

	// The record's digest leads to another run's checkpoint, and to a missing one.
	r.r.Run = "another"
	_, err = read("checkpoint:line@3")
	require.ErrorIs(t, err, job.ErrCorrupt)
	r.r.Run = "r"
	require.NoError(t, checkpoint.Delete(t.Context(), blobs, r.r.Checkpoints[1].Digest))
	refused("checkpoint:line@3", "no such blob")

	_, err = (&ingest.Roots{}).Open(t.Context(), "job:line")
	require.ErrorIs(t, err, job.ErrInvalid)
}
