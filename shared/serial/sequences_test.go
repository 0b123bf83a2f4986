package serial_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/plan"
	"tributary/shared/serial"
	"tributary/shared/spec"
)

const classes = `
name: classes
data: {source: none.csv, label: y, shuffle: false}
model: {layers: [{dense: {units: 4, activation: gelu}}, {dense: {units: 2}}]}
loss: softmax_cross_entropy
optimizer: {adam: {learning_rate: 0.05}}
batch: 24
microbatches: 4
epochs: 3
seed: 3
metrics: [accuracy, auc]
`

// made compiles a plan that plan.Make made, after it went through its bytes.
func made(t *testing.T, store blob.Store, text string, m *dataset.Manifest) *gradient.Engine {
	t.Helper()
	s, err := spec.Decode([]byte(text))
	require.NoError(t, err)
	p, err := plan.Make(s, m, 7, nil)
	require.NoError(t, err)
	data, _, err := p.Encode()
	require.NoError(t, err)
	p, err = plan.Decode(data)
	require.NoError(t, err)
	e, err := gradient.Compile(t.Context(), p, store, dataset.NewCache(store, 1<<20))
	require.NoError(t, err)
	return e
}

// table returns a table of two classes, in blocks of 24 rows, and the store of its blocks.
func table(t *testing.T) (*dataset.Manifest, blob.Store) {
	t.Helper()
	store := blob.NewMemory(0)
	p := gradienttest.Job{Rows: 144, Block: 24, Classes: true}.Plan(t, store)
	p.Dataset.Classes, p.Dataset.Preprocessing.Label.Kind = []string{"no", "yes"}, dataset.Categorical
	p.Dataset.Preprocessing.Label.Categories = nil
	return &p.Dataset, store
}

// A dense layer computes each position of a sequence by itself. So training on samples of
// three rows each, 8 in a batch, is training on the rows, 24 in a batch: the same bits.
func TestSequencesAreTheirRows(t *testing.T) {
	rows, store := table(t)
	want, err := serial.Train(t.Context(), made(t, store, classes, rows))
	require.NoError(t, err)

	m, err := gradienttest.Sequences(t.Context(), store, rows, 3, nil)
	require.NoError(t, err)
	e := made(t, store, changed(t, classes, "batch: 24", "batch: 8"), m)
	require.Equal(t, 48, e.Plan.TrainRows())
	got, err := serial.Train(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, want.Params, got.Params)
	require.Equal(t, want.Losses, got.Losses)
	require.Equal(t, want.Metrics, got.Metrics)
}

// A masked element is not a term. The mean of the loss and the division of the gradient do
// not count it, and figures are computed without it.
func TestMaskedElementsAreNotThere(t *testing.T) {
	all, store := table(t)
	masked, err := gradienttest.Sequences(t.Context(), store, all, 4, func(position int) bool { return position == 3 })
	require.NoError(t, err)
	rows := *all
	rows.Splits = map[job.Split][]dataset.BlockRef{}
	for split, refs := range all.Splits { // the rows whose target is not masked
		for _, ref := range refs {
			data, err := store.Get(t.Context(), ref.Digest)
			require.NoError(t, err)
			b, err := dataset.DecodeBlock(data)
			require.NoError(t, err)
			some := &dataset.Block{Features: b.Features, Targets: 1}
			for i := range b.Rows / 4 * 4 {
				if i%4 != 3 {
					some.Rows++
					some.X = append(some.X, b.X[i*b.Features:][:b.Features]...)
					some.Y = append(some.Y, b.Y[i])
				}
			}
			data = dataset.Encode(some)
			digest, err := store.Put(t.Context(), data)
			require.NoError(t, err)
			rows.Splits[split] = append(rows.Splits[split], dataset.BlockRef{Digest: digest, Rows: some.Rows, Bytes: len(data)})
		}
	}
	want, err := serial.Train(t.Context(), made(t, store, classes, &rows))
	require.NoError(t, err)
	got, err := serial.Train(t.Context(), made(t, store, changed(t, classes, "batch: 24", "batch: 8"), masked))
	require.NoError(t, err)
	require.Equal(t, want.Params, got.Params)
	require.Equal(t, want.Losses, got.Losses)
	require.Equal(t, want.Metrics, got.Metrics)
}

// What does not fit the fields of a dataset is refused when the plan is made.
func TestPlansOfFields(t *testing.T) {
	rows, store := table(t)
	m, err := gradienttest.Sequences(t.Context(), store, rows, 3, func(int) bool { return false })
	require.NoError(t, err)
	s, err := spec.Decode([]byte(classes))
	require.NoError(t, err)
	refuse := func(message string, change func(s *job.Spec, m *dataset.Manifest)) {
		spec, data := *s, *m
		spec.Metrics, data.Classes = nil, nil
		data.Fields = append(dataset.Schema(nil), m.Fields...)
		change(&spec, &data)
		_, err := plan.Make(&spec, &data, 7, nil)
		require.ErrorIs(t, err, job.ErrInvalid, message)
		require.ErrorContains(t, err, message)
	}
	refuse(`loss: mse: field "y" has integers, which are classes: want a loss for classes`, func(s *job.Spec, _ *dataset.Manifest) { s.Loss = job.MSE })
	refuse(`loss: sigmoid_cross_entropy: field "y" is masked: want softmax_cross_entropy`, func(s *job.Spec, _ *dataset.Manifest) {
		s.Loss, s.Model.Layers = job.SigmoidCrossEntropy, []job.Layer{{Dense: &job.Dense{Units: 1}}}
	})
	refuse(`outputs at 3 positions, 1 numbers of field "y": want as many`, func(_ *job.Spec, m *dataset.Manifest) { m.Fields[1].Shape = nil })
	refuse(`data: fields "x" and "z": want one input`, func(_ *job.Spec, m *dataset.Manifest) {
		m.Fields = append(m.Fields, dataset.Field{Name: "z", DType: dataset.Float32})
	})
	refuse(`data: 1 fields: want an input and a target`, func(_ *job.Spec, m *dataset.Manifest) { m.Fields = m.Fields[:1] })
	refuse(`model: input "x" has integers: a dense layer wants numbers`, func(_ *job.Spec, m *dataset.Manifest) {
		m.Fields[0] = dataset.Field{Name: "x", DType: dataset.Int32, Shape: []int{3}}
	})
}
