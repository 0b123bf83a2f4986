package plan

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// whole returns a plan that can be decoded.
func whole(rows, batch, microbatches, epochs int) *Plan {
	p := of(rows, batch, microbatches, epochs)
	p.ChunkLen = 8
	p.Dataset = dataset.Manifest{
		Version: 1, Features: 1, Targets: 1,
		Splits: map[job.Split][]dataset.BlockRef{job.Train: {{Digest: blob.DigestOf(nil), Rows: rows, Bytes: 144}}},
		Preprocessing: &dataset.Preprocessing{
			Columns: []dataset.Column{{Name: "x", Kind: dataset.Numeric, Scale: 1}},
			Label:   dataset.Column{Name: "y", Kind: dataset.Numeric, Scale: 1},
		},
	}
	return p
}

// Decode refuses everything that a later program adds to a plan. If it ignored an addition,
// it would compute other bits.
func TestWhatAPlanAsksForAndThisProgramDoesNotKnow(t *testing.T) {
	p := whole(10, 4, 2, 3)
	p.Spec.Loss, p.Spec.Wire, p.Spec.Metrics = job.MSE, job.WireInt8, []job.Metric{job.RMSE}
	p.Spec.Model = job.Model{Layers: []job.Layer{{Dense: &job.Dense{Units: 1, Activation: job.GELU}}}, Init: job.Init{Scheme: job.Zeros}}
	p.Spec.Optimizer.SGD = &job.SGD{LearningRate: 1}
	data, _, err := p.Encode()
	require.NoError(t, err)
	_, err = Decode(data)
	require.NoError(t, err)
	for name, c := range map[string]struct{ old, now, want string }{
		"kind of layer":     {`{"dense":{"units":1,"activation":"gelu"}}`, `{"conv":{"channels":8}}`, `unknown field "conv"`},
		"option of a layer": {`"units":1,`, `"units":1,"dropout":0.5,`, `unknown field "dropout"`},
		"activation":        {`"gelu"`, `"swish"`, `spec.model.layers[0].dense.activation: "swish": this program knows ["none"`},
		"optimizer":         {`{"sgd":{`, `{"lamb":{`, `unknown field "lamb"`},
		"its option":        {`{"learning_rate":1`, `{"dampening":0.1,"learning_rate":1`, `unknown field "dampening"`},
		"loss":              {`"loss":"mse"`, `"loss":"hinge"`, `spec.loss: "hinge"`},
		"wire":              {`"wire":"int8"`, `"wire":"int4"`, `spec.wire: "int4"`},
		"metric":            {`["rmse"]`, `["mcc"]`, `spec.metrics[0]: "mcc"`},
		"scheme":            {`"scheme":"zeros"`, `"scheme":"orthogonal"`, `spec.model.init.scheme: "orthogonal"`},
		"spec":              {`"spec":{`, `"spec":{"local_steps":4,`, `unknown field "local_steps"`},
		"dataset":           {`"dataset":{`, `"dataset":{"sequences":["x"],`, `unknown field "sequences"`},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, string(data), c.old)
			_, err := Decode([]byte(strings.Replace(string(data), c.old, c.now, 1)))
			require.ErrorIs(t, err, job.ErrUnsupported)
			require.ErrorContains(t, err, c.want)
		})
	}
}
