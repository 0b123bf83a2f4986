// Package gradienttest makes small engines for tests: a spec, rows of numbers in blocks,
// and a store that holds them.
//
// It owns the rows; each row is a function of its number. Only tests call it: those of
// packages gradient, replica and serial, and of coordinator/verify.
//
// Invariant: the same Job makes an engine that computes the same bits.
package gradienttest

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/plan"
	"tributary/shared/spec"
)

// Features is the number of feature columns.
const Features = 3

// Regression is a spec to start from: a small network with short batches.
const Regression = `
name: small
data: {source: none.csv, label: y}
model: {layers: [{dense: {units: 4, activation: tanh}}, {dense: {units: 1}}]}
loss: mse
optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9}}
batch: 16
microbatches: 4
epochs: 4
seed: 3
metrics: [rmse]
`

// Job describes the engine to make.
type Job struct {
	Spec     string // YAML; Regression when empty
	Rows     int    // of the training split; 50 when 0
	Block    int    // rows in a block; 8 when 0
	ChunkLen int    // parameters in a ledger chunk; 7 when 0
	Features int    // columns; the constant when 0
	Classes  bool   // labels are classes 0 and 1
	Weighted bool   // rows have weights from 0 to 2
	Init     []byte // safetensors with the initial weights
}

// Engine returns the job's engine and the store it reads blocks from.
func (j Job) Engine(t require.TestingT) (*gradient.Engine, blob.Store) {
	store := blob.NewMemory(0)
	p := j.Plan(t, store)
	e, err := gradient.Compile(context.Background(), p, store, dataset.NewCache(store, 1<<20))
	require.NoError(t, err)
	return e, store
}

// Plan puts the job's rows into store and returns its plan.
func (j Job) Plan(t require.TestingT, store blob.Store) *plan.Plan {
	s, err := spec.Decode([]byte(cmp.Or(j.Spec, Regression)))
	require.NoError(t, err)
	p := &plan.Plan{Version: plan.Version, Spec: *s, ChunkLen: cmp.Or(j.ChunkLen, 7)}
	p.Dataset = dataset.Manifest{Version: 1, Features: cmp.Or(j.Features, Features), Targets: j.targets(), Splits: map[job.Split][]dataset.BlockRef{}}
	p.Dataset.Preprocessing = &dataset.Preprocessing{Label: dataset.Column{Name: "y", Kind: dataset.Numeric, Scale: 1}}
	for _, name := range []string{"a", "b", "c"} {
		p.Dataset.Preprocessing.Columns = append(p.Dataset.Preprocessing.Columns, dataset.Column{Name: name, Kind: dataset.Numeric, Scale: 1})
	}
	if j.Weighted {
		p.Dataset.Weight = &dataset.Weight{Name: "w", Greatest: 2}
	}
	for i, split := range []job.Split{job.Train, job.Validation} {
		random := rand.New(rand.NewPCG(7, uint64(i)))
		for left := cmp.Or(j.Rows, 50); left > 0; left -= cmp.Or(j.Block, 8) {
			p.Dataset.Splits[split] = append(p.Dataset.Splits[split], j.put(t, store, random, min(left, cmp.Or(j.Block, 8))))
		}
	}
	if j.Init != nil {
		p.Init, err = store.Put(context.Background(), j.Init)
		require.NoError(t, err)
	}
	return p
}

func (j Job) targets() int {
	if j.Weighted {
		return 2
	}
	return 1
}

// put stores a block of rows. y is a quadratic function of x, with noise.
func (j Job) put(t require.TestingT, store blob.Store, random *rand.Rand, rows int) dataset.BlockRef {
	b := &dataset.Block{Rows: rows, Features: cmp.Or(j.Features, Features), Targets: j.targets()}
	for range rows {
		y := 0.1 * random.NormFloat64()
		for i := range b.Features {
			x := random.NormFloat64()
			b.X = append(b.X, float32(x))
			y += float64(i+1) * x * (1 + x) / 4
		}
		if j.Classes {
			y = max(0, math.Copysign(1, y))
		}
		b.Y = append(b.Y, float32(y))
		if j.Weighted {
			b.Y = append(b.Y, max(0, 2.5*random.Float32()-0.5))
		}
	}
	data := dataset.Encode(b)
	digest, err := store.Put(context.Background(), data)
	require.NoError(t, err)
	return dataset.BlockRef{Digest: digest, Rows: rows, Bytes: len(data)}
}
