package gradient_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/numeric"
	specified "tributary/shared/numeric/blas"
	"tributary/shared/numeric/isa"
	"tributary/shared/tree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// twin computes a node in the simplest way: micro-batch by micro-batch, layer by layer,
// each operation over all rows, and vectors added node by node.
type twin struct {
	e      *gradient.Engine
	t      require.TestingT
	blocks gradient.Blocks
	params []float32
	order  *dataset.Order
	lo, hi int // of the batch in the order
}

func (w *twin) node(lo, hi int) ledger.Partial {
	if hi-lo == 1 {
		return w.leaf(lo)
	}
	mid := tree.Split(lo, hi)
	return add(w.node(lo, mid), w.node(mid, hi))
}

func (w *twin) leaf(leaf int) ledger.Partial {
	p := w.e.Plan
	lo, hi := p.Microbatch(w.hi-w.lo, leaf)
	refs := p.Dataset.Splits[job.Train]
	out := ledger.Partial{Gradient: make([]float32, len(w.params)), Sums: ledger.Sums{Examples: int64(hi - lo)}}
	var x, y []float32
	for _, r := range w.order.Rows(nil, w.lo+lo, w.lo+hi) {
		b, err := w.blocks.Get(context.Background(), refs[r.Block])
		require.NoError(w.t, err)
		x = append(x, b.X[int(r.Row)*b.Features:int(r.Row+1)*b.Features]...)
		y = append(y, b.Y[int(r.Row)*b.Targets:int(r.Row+1)*b.Targets]...)
	}
	if _, weighted := w.e.Objective.Units(nil); weighted {
		out.Sums.Examples = 0
		scale := 0x1p40 // 42 bits for a weight of at most 2, or of 3
		if w.e.Plan.Dataset.Weight == nil {
			scale = 0x1p41 // of at most 1.5
		}
		for _, v := range w.weights(y) {
			out.Sums.Examples += int64(math.RoundToEven(v * scale))
		}
	}
	if hi > lo {
		out.Sums.Loss = w.gradient(out.Gradient, x, y, hi-lo)
	}
	return out
}

func general(v []float32, rows, cols int) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: v}
}

// gradient computes one micro-batch. activations holds the inputs and the outputs of each
// layer, the latter before activation.
func (w *twin) gradient(dst, x, y []float32, rows int) float64 {
	layers, tensors := w.e.Plan.Spec.Model.Layers, w.e.Network.Tensors()
	inputs, before := [][]float32{x}, [][]float32(nil)
	for i, l := range layers {
		weight, bias := tensors[2*i], tensors[2*i+1]
		z := make([]float32, rows*weight.Shape[0])
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, general(inputs[i], rows, weight.Shape[1]),
			general(w.params[weight.Offset:][:weight.Len], weight.Shape[0], weight.Shape[1]), 0, general(z, rows, weight.Shape[0]))
		numeric.AddBias(z, w.params[bias.Offset:][:bias.Len])
		out := append([]float32(nil), z...)
		switch l.Dense.Activation {
		case job.ReLU:
			numeric.ReLU(out)
		case job.Tanh:
			numeric.Tanh(out)
		case job.Sigmoid:
			numeric.Sigmoid(out)
		case job.GELU:
			numeric.GELU(out, z)
		default:
		}
		inputs, before = append(inputs, out), append(before, z)
	}
	outputs, classes := inputs[len(layers)], w.e.Network.Outputs()
	d, loss := make([]float32, len(outputs)), 0.0
	_, weighted := w.e.Objective.Units(nil)
	switch of := w.e.Plan.Spec.Loss; {
	case weighted || w.e.Plan.Spec.FocalGamma != 0:
		loss = w.byRows(d, outputs, y)
	default:
		loss = plainLoss(of, d, outputs, y, classes)
	}
	for i, l := range slices.Backward(layers) {
		switch l.Dense.Activation {
		case job.ReLU:
			numeric.ReLUBackward(d, inputs[i+1])
		case job.Tanh:
			numeric.TanhBackward(d, inputs[i+1])
		case job.Sigmoid:
			numeric.SigmoidBackward(d, inputs[i+1])
		case job.GELU:
			numeric.GELUBackward(d, before[i])
		default:
		}
		weight, bias := tensors[2*i], tensors[2*i+1]
		o, in := weight.Shape[0], weight.Shape[1]
		blas32.Gemm(blas.Trans, blas.NoTrans, 1, general(d, rows, o), general(inputs[i], rows, in), 0, general(dst[weight.Offset:][:weight.Len], o, in))
		numeric.ColumnSums(dst[bias.Offset:][:bias.Len], d)
		dx := make([]float32, rows*in)
		blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, general(d, rows, o), general(w.params[weight.Offset:][:weight.Len], o, in), 0, general(dx, rows, in))
		d = dx
	}
	return loss
}

// plainLoss computes a loss without weights, and writes its gradient to d.
func plainLoss(loss job.Loss, d, z, y []float32, outputs int) float64 {
	switch loss {
	case job.SoftmaxCrossEntropy:
		return numeric.SoftmaxCrossEntropy(d, z, y, outputs)
	case job.SigmoidCrossEntropy:
		return numeric.SigmoidCrossEntropy(d, z, y)
	case job.MSE:
		return numeric.SquaredError(d, z, y, 1/float64(outputs))
	case job.HalfSquaredError:
		return numeric.SquaredError(d, z, y, 0.5)
	default:
		return robust(loss, d, z, y, 1/float64(outputs))
	}
}

// weights returns the weights of rows with the targets y: those of the classes are 0.25 and
// 1.5, and those of the rows are up to 2.
func (w *twin) weights(y []float32) (weights []float64) {
	for row := range slices.Chunk(y, w.e.Plan.Dataset.Targets) {
		v := 1.0
		if !w.e.Plan.Spec.ClassWeights.IsZero() {
			v = []float64{0.25, 1.5}[int(row[0])]
		}
		if w.e.Plan.Dataset.Weight != nil {
			v *= float64(row[1])
		}
		weights = append(weights, v)
	}
	return weights
}

// byRows computes a loss with weights or the focal loss, row by row, and writes its gradient
// to d.
func (w *twin) byRows(d, z, y []float32) float64 {
	s, outputs, loss := &w.e.Plan.Spec, w.e.Network.Outputs(), 0.0
	targets := w.e.Plan.Dataset.Targets
	for i, weight := range w.weights(y) {
		dr, terms := d[i*outputs:(i+1)*outputs], []float64{0}
		terms[0] = plainLoss(s.Loss, dr, z[i*outputs:(i+1)*outputs], y[i*targets:i*targets+1], outputs)
		if s.FocalGamma != 0 {
			numeric.FocalRows(terms, dr, s.FocalGamma, outputs)
		}
		if weight != 1 {
			for j, v := range dr {
				dr[j] = float32(float64(v) * weight)
			}
			terms[0] *= weight
		}
		loss += terms[0]
	}
	return loss
}

// robust computes a loss with its default parameter, and writes its gradient to d.
func robust(loss job.Loss, d, z, y []float32, scale float64) float64 {
	var sum numeric.LaneSum
	switch loss {
	case job.AbsoluteError:
		sum.AddAbsoluteError(z, y)
		numeric.AbsoluteErrorGradient(d, z, y, scale)
	case job.Huber:
		sum.AddHuber(z, y, 1)
		numeric.HuberGradient(d, z, y, 1, scale)
	default:
		sum.AddQuantile(z, y, 0.5)
		numeric.QuantileGradient(d, z, y, 0.5, scale)
	}
	return sum.Scaled(scale)
}

// drawSpec draws a job with random activations and loss.
func drawSpec(t *rapid.T) (text string, features int) {
	loss := rapid.SampledFrom([]job.Loss{job.SoftmaxCrossEntropy, job.SigmoidCrossEntropy, job.MSE, job.HalfSquaredError, job.AbsoluteError, job.Huber, job.Quantile}).Draw(t, "loss")
	activation := rapid.SampledFrom([]job.Activation{job.NoActivation, job.ReLU, job.Tanh, job.Sigmoid, job.GELU})
	var layers []string
	for i := range rapid.IntRange(1, 3).Draw(t, "layers") {
		layers = append(layers, fmt.Sprintf("{dense: {units: %d, activation: %s}}",
			rapid.IntRange(1, 70).Draw(t, fmt.Sprint("units", i)), activation.Draw(t, fmt.Sprint("activation", i))))
	}
	outputs, last := 1, job.NoActivation // what follows is the loss's
	if !loss.Classifies() {
		last = activation.Draw(t, "last")
	}
	if loss == job.SoftmaxCrossEntropy {
		outputs = rapid.IntRange(2, 40).Draw(t, "classes")
	}
	layers = append(layers, fmt.Sprintf("{dense: {units: %d, activation: %s}}", outputs, last))
	batch := rapid.IntRange(1, 150).Draw(t, "batch")
	more := ""
	if loss.Classifies() {
		more = rapid.SampledFrom([]string{"", "", "focal_gamma: 2\n", "class_weights: {'0': 0.25, '1': 1.5}\n", "focal_gamma: 0.5\nclass_weights: {'0': 0.25, '1': 1.5}\n"}).Draw(t, "more")
	}
	text = fmt.Sprintf("name: any\ndata: {source: none.csv, label: y}\nmodel: {layers: [%s]}\nloss: %s\noptimizer: {sgd: {learning_rate: 0.05}}\n"+
		"batch: %d\nmicrobatches: %d\nepochs: 3\nseed: 5\n", strings.Join(layers, ", "), loss, batch, rapid.IntRange(1, min(batch, 20)).Draw(t, "microbatches"))
	return text + more, rapid.IntRange(1, 80).Draw(t, "features")
}

// A node has the same bits as the twin, with every instruction set and any number of
// threads, and after any earlier work of the scratch.
func TestNodeIsTheTwin(t *testing.T) {
	defer blas32.Use(specified.Implementation{})
	scratches := map[int]*gradient.Scratch{0: gradient.NewScratch(), 2: gradient.NewParallelScratch(2), 3: gradient.NewParallelScratch(3)}
	defer func() {
		for _, s := range scratches {
			s.Close()
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		text, features := drawSpec(t)
		classes := strings.Contains(text, "cross_entropy")
		e, store := gradienttest.Job{
			Spec: text, Features: features, Classes: classes, Weighted: rapid.Bool().Draw(t, "weighted"),
			Rows: rapid.IntRange(1, 300).Draw(t, "rows"), Block: rapid.IntRange(1, 100).Draw(t, "block"),
		}.Engine(t)
		step := rapid.Int64Range(0, e.Plan.Steps()-1).Draw(t, "step")
		cover := drawCover(t, tree.Root, e.Plan.Spec.Microbatches)
		n := rapid.SampledFrom(cover).Draw(t, "node")
		lo, hi, _ := n.Leaves(e.Plan.Spec.Microbatches)

		w := &twin{e: e, t: t, blocks: dataset.NewCache(store, 1<<20), params: initial(e)}
		var epoch int64
		epoch, w.lo, w.hi = e.Plan.Batch(step)
		w.order = dataset.NewOrder(e.Plan.Dataset.Splits[job.Train], e.Plan.Spec.Seed, epoch, e.Plan.Spec.Data.Shuffle)
		blas32.Use(specified.Implementation{})
		want := w.node(lo, hi)
		for _, set := range isa.Available() {
			blas32.Use(specified.Implementation{Set: set})
			for threads, s := range scratches {
				final := make([]int, len(w.params))
				got := ledger.Partial{Gradient: make([]float32, len(w.params))}
				for i := range got.Gradient {
					got.Gradient[i] = float32(math.NaN())
				}
				var err error
				got.Sums, err = e.NodeInParts(t.Context(), got.Gradient, s, w.params, step, n, gradient.Hooks{Final: func(lo, hi int) {
					for i := lo; i < hi; i++ {
						require.Equal(t, math.Float32bits(want.Gradient[i]), math.Float32bits(got.Gradient[i]), "final")
						final[i]++
					}
				}})
				require.NoError(t, err)
				require.Equal(t, want, got, "%s, %d threads", set, threads)
				for i, times := range final {
					require.Equal(t, 1, times, "parameter %d", i)
				}
			}
		}
	})
}
