package gradient_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/plan"
	"tributary/shared/spec"
	"tributary/shared/tree"
)

// shape describes a job by its sizes: a classifier with softmax, and relu between layers.
type shape struct {
	features, batch int
	units           []int // of the layers; the last layer has one unit per class
	adam            bool
}

// shapes are the three jobs that are also measured in the peers, and others with a
// different kind of product: few and long rows, many small layers, a batch with many more
// rows than its layers have units.
var shapes = map[string]shape{
	"softmax": {784, 512, []int{10}, false},
	"mlp":     {784, 512, []int{256, 128, 10}, true},
	"wide":    {784, 512, []int{2048, 2048, 10}, false},
	"shallow": {8192, 128, []int{4}, false},
	"narrow":  {32, 256, []int{64, 64, 64, 64, 64, 64, 8}, true},
	"tall":    {20, 8192, []int{32, 2}, true},
}

// engine makes the job of the shape, with the given number of rows in blocks of about 1
// MiB.
func (s shape) engine(t require.TestingT, rows, microbatches int) *gradient.Engine {
	var layers []string
	for i, units := range s.units {
		activation := "relu"
		if i == len(s.units)-1 {
			activation = "none"
		}
		layers = append(layers, fmt.Sprintf("{dense: {units: %d, activation: %s}}", units, activation))
	}
	optimizer := "{sgd: {learning_rate: 0.05}}"
	if s.adam {
		optimizer = "{adam: {learning_rate: 0.001}}"
	}
	text := fmt.Sprintf("name: bench\ndata: {source: none.csv, label: y}\nmodel: {layers: [%s]}\nloss: softmax_cross_entropy\n"+
		"optimizer: %s\nbatch: %d\nmicrobatches: %d\nepochs: 1000\nseed: 3\n", strings.Join(layers, ", "), optimizer, s.batch, microbatches)
	parsed, err := spec.Decode([]byte(text))
	require.NoError(t, err)
	p := &plan.Plan{Version: plan.Version, Spec: *parsed, ChunkLen: 1 << 18}
	p.Dataset = dataset.Manifest{Version: 1, Features: s.features, Targets: 1, Splits: map[job.Split][]dataset.BlockRef{}}
	p.Dataset.Preprocessing = &dataset.Preprocessing{Label: dataset.Column{Name: "y", Kind: dataset.Numeric, Scale: 1}}
	store, random := blob.NewMemory(0), rand.New(rand.NewPCG(7, 8))
	for left, length := rows, max(1, 1<<18/s.features); left > 0; left -= length {
		b := &dataset.Block{Rows: min(left, length), Features: s.features, Targets: 1}
		b.X, b.Y = make([]float32, b.Rows*s.features), make([]float32, b.Rows)
		for i := range b.X {
			b.X[i] = max(0, float32(random.NormFloat64()))
		}
		for i := range b.Y {
			b.Y[i] = float32(random.IntN(s.units[len(s.units)-1]))
		}
		data := dataset.Encode(b)
		digest, err := store.Put(context.Background(), data)
		require.NoError(t, err)
		p.Dataset.Splits[job.Train] = append(p.Dataset.Splits[job.Train], dataset.BlockRef{Digest: digest, Rows: b.Rows, Bytes: len(data)})
	}
	e, err := gradient.Compile(context.Background(), p, store, dataset.NewCache(store, 1<<30))
	require.NoError(t, err)
	return e
}

// BenchmarkNode computes one root after another, with the rows in the cache. Use the best
// time: a machine that also does other work disturbs the rest.
func BenchmarkNode(b *testing.B) {
	for _, name := range []string{"softmax", "mlp", "wide", "shallow", "narrow", "tall"} {
		for _, m := range []int{2, 8, 16} {
			e := shapes[name].engine(b, 4*max(2048, shapes[name].batch), m)
			params, dst := initial(e), make([]float32, e.Network.Params())
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/M=%d/threads=%d", name, m, threads), func(b *testing.B) {
					s := gradient.NewParallelScratch(threads)
					defer s.Close()
					compute := func(step int64) {
						_, err := e.Node(b.Context(), dst, s, params, step%e.Plan.StepsPerEpoch(), tree.Root, nil)
						require.NoError(b, err)
					}
					for step := range e.Plan.StepsPerEpoch() {
						compute(step)
					}
					b.ReportAllocs()
					step, best := int64(0), time.Hour
					for b.Loop() {
						begun := time.Now()
						compute(step)
						best = min(best, time.Since(begun))
						step++
					}
					b.ReportMetric(float64(best.Nanoseconds())/1e3, "µs-at-best")
					b.ReportMetric(float64(shapes[name].batch)*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
				})
			}
		}
	}
}
