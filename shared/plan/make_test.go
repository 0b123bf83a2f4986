package plan

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/model"
)

// made returns a spec with one hidden layer, and its dataset.
func made() (*job.Spec, *dataset.Manifest) {
	p := of(10, 4, 2, 3)
	p.Spec.Loss = job.MSE
	p.Spec.Model.Layers = []job.Layer{{Dense: &job.Dense{Units: 1000}}, {Dense: &job.Dense{Units: 1}}}
	p.Dataset.Features, p.Dataset.Targets = 1000, 1
	return &p.Spec, &p.Dataset
}

func TestMakeRefusesWhatDoesNotFit(t *testing.T) {
	for message, change := range map[string]func(s *job.Spec, m *dataset.Manifest){
		"model.layers[0].dense.units: 1000: 1048577000 parameters up to here: want at most 268435456 (4 bytes each)": func(_ *job.Spec, m *dataset.Manifest) { m.Features = 1 << 20 },
		"model.layers[0].dense.activation":                                                                                                                     func(s *job.Spec, _ *dataset.Manifest) { s.Model.Layers[0].Dense.Activation = "step" },
		"model.layers[1].dense.units: 1: the label has 2 columns, want as many units":                                                                          func(_ *job.Spec, m *dataset.Manifest) { m.Targets = 2 },
		"metrics[0]: auc: this metric needs two classes, the label has 0":                                                                                      func(s *job.Spec, _ *dataset.Manifest) { s.Metrics = []job.Metric{job.AUC} },
		"batch: 11: the training split has 10 rows, and drop_last leaves out the only batch":                                                                   func(s *job.Spec, _ *dataset.Manifest) { s.Batch, s.DropLast = 11, true },
		"epochs or steps: the job would take 3000000000 steps, want 1 to 10485760":                                                                             func(s *job.Spec, _ *dataset.Manifest) { s.Epochs = 1e9 },
		"loss: \"hinge\": want softmax_cross_entropy, sigmoid_cross_entropy, mse, half_squared_error, mae, huber, quantile, poisson, multilabel_cross_entropy": func(s *job.Spec, _ *dataset.Manifest) { s.Loss = "hinge" },
		"model.layers[1].dense.units: 1: the label has 3 classes, want as many units": func(s *job.Spec, m *dataset.Manifest) {
			s.Loss, m.Classes = job.SoftmaxCrossEntropy, []string{"a", "b", "c"}
		},
		"loss: the label has 3 classes: sigmoid_cross_entropy takes two (use softmax_cross_entropy)": func(s *job.Spec, m *dataset.Manifest) {
			s.Loss, m.Classes = job.SigmoidCrossEntropy, []string{"a", "b", "c"}
		},
		"model.layers[1].dense.units: 2: sigmoid_cross_entropy wants 1": func(s *job.Spec, m *dataset.Manifest) {
			s.Loss, m.Classes = job.SigmoidCrossEntropy, []string{"a", "b"}
			s.Model.Layers[1].Dense.Units = 2
		},
	} {
		s, m := made()
		change(s, m)
		p, err := Make(s, m, 8, nil)
		require.Nil(t, p)
		require.ErrorIs(t, err, job.ErrInvalid, message)
		require.ErrorContains(t, err, message)
	}
}

// Tags and notes are texts for people: they change neither the plan nor its digest.
func TestMakeLeavesOutTexts(t *testing.T) {
	s, m := made()
	plain, err := Make(s, m, 8, nil)
	require.NoError(t, err)
	_, want, err := plain.Encode()
	require.NoError(t, err)
	s.Tags, s.Notes = []string{"baseline"}, "a first try"
	tagged, err := Make(s, m, 8, nil)
	require.NoError(t, err)
	_, got, err := tagged.Encode()
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, []string{"baseline"}, s.Tags, "the spec stays as it is")
}

// A plan from Make knows its counts. Its layout needs no weights. Make has asked for the
// weights once.
func TestMakeChecksInitialWeights(t *testing.T) {
	s, m := made()
	s.Model.Init.From = "w.safetensors"
	lost := errors.New("lost")
	_, err := Make(s, m, 8, func(string, []model.Tensor) (job.Digest, error) { return "", lost })
	require.ErrorIs(t, err, lost)
	p, err := Make(s, m, 8, func(from string, tensors []model.Tensor) (job.Digest, error) {
		require.Equal(t, "w.safetensors", from)
		require.Len(t, tensors, 4)
		return blob.DigestOf(nil), nil
	})
	require.NoError(t, err)
	require.Equal(t, blob.DigestOf(nil), p.Init)
	require.Equal(t, 10, p.TrainRows())
	require.Equal(t, int64(9), p.Steps())
	_, digest, err := p.Encode()
	require.NoError(t, err)
	l, err := p.Layout(job.Ref{Job: "digits"})
	require.NoError(t, err)
	require.Equal(t, digest, l.Plan)
	require.Equal(t, 1000*1000+1000+1000+1, l.Params)
	require.Equal(t, 8, l.ChunkLen)
}
