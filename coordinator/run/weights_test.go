package run_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/model"
	"tributary/shared/plan"
	"tributary/shared/registry"
	"tributary/shared/tree"
)

// weights returns a file of one dense layer with that many units for one feature.
func weights(t *testing.T, units int) []byte {
	t.Helper()
	n, err := model.New(job.Model{Layers: []job.Layer{{Dense: &job.Dense{Units: units}}}}, model.Table(1))
	require.NoError(t, err)
	data, err := registry.EncodeWeights(n.Tensors(), n.NewWeights())
	require.NoError(t, err)
	return data
}

// Weights of another shape are refused when the plan is made, so every plan can be
// compiled.
func TestWeightsOfAnotherShapeMakeNoPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("coordinator")
	cfg.Sources = &ingest.Roots{Job: func(_ context.Context, source string) (io.ReadCloser, error) {
		if source == "job:other" {
			return io.NopCloser(bytes.NewReader(weights(t, 2))), nil
		}
		return io.NopCloser(bytes.NewReader(weights(t, 1))), nil
	}}
	w.run(run.New(cfg), 1)
	from := func(id, source string) string {
		return strings.Replace(line(id, 3), `{"units":1}}]`, `{"units":1}}],"init":{"from":"`+source+`"}`, 1)
	}
	w.submit(from("bad", "job:other"))
	r := w.ended("bad")
	require.Equal(t, job.Failed, r.State)
	require.Empty(t, r.Plan)
	require.Contains(t, r.Error, `model.init.from: "job:other": tensor layers.0.weight has shape [2 1]; the model's is [1 1]`)

	w.submit(from("good", "job:same"))
	r = w.ended("good")
	require.Equal(t, job.Succeeded, r.State, r.Error)
}

// A job without its initial weights can be deleted, because its plan alone shows what it
// has written.
func TestAJobWithoutItsWeightsIsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	block := &dataset.Block{Rows: 1, Features: 1, Targets: 1, X: []float32{1}, Y: []float32{1}}
	data := dataset.Encode(block)
	digest, err := w.blobs.Put(t.Context(), data)
	require.NoError(t, err)
	lost, err := w.blobs.Put(t.Context(), weights(t, 1))
	require.NoError(t, err)
	require.NoError(t, w.blobs.Delete(t.Context(), lost))
	column := dataset.Column{Name: "x", Kind: dataset.Numeric, Scale: 1}
	p := &plan.Plan{Version: plan.Version, ChunkLen: 4, Init: lost, Dataset: dataset.Manifest{
		Version: 1, Features: 1, Targets: 1, Preprocessing: &dataset.Preprocessing{Columns: []dataset.Column{column}, Label: column},
		Splits: map[job.Split][]dataset.BlockRef{job.Train: {{Digest: digest, Rows: 1, Bytes: len(data)}}},
	}}
	p.Spec = job.Spec{
		Name: "a", Model: job.Model{Layers: []job.Layer{{Dense: &job.Dense{Units: 1}}}}, Loss: job.MSE,
		Optimizer: job.Optimizer{SGD: &job.SGD{LearningRate: 0.1}}, Batch: 1, Microbatches: 2, Steps: 5,
	}
	encoded, planned, err := p.Encode()
	require.NoError(t, err)
	_, err = w.blobs.Put(t.Context(), encoded)
	require.NoError(t, err)
	ref := job.Ref{Job: "a", Run: "r"}
	layout, err := p.Layout(ref)
	require.NoError(t, err)
	_, err = gradient.Compile(t.Context(), p, w.blobs, nil)
	require.ErrorIs(t, err, job.ErrNotFound)
	_, err = w.ledger.Put(t.Context(), layout, 0, tree.Node(2), ledger.Partial{Gradient: make([]float32, 2), Sums: ledger.Sums{Examples: 1}})
	require.NoError(t, err)
	now := time.Now()
	_, err = w.Create(t.Context(), job.Record{ID: "a", Run: "r", Name: "a", State: job.Failed, Plan: planned, Created: now, Finished: &now, Spec: []byte("{}")})
	require.NoError(t, err)
	w.coordinate(1)
	w.until("it is released", func() bool { return w.records["a"].Released })
	arrived, err := w.ledger.Arrived(t.Context(), layout, 0)
	require.NoError(t, err)
	require.Empty(t, arrived)
}
