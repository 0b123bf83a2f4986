package executor_test

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/optim"
	"tributary/shared/wire"
)

// vector decodes base64 of little-endian float32.
type vector []float32

func (v *vector) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return err
	}
	*v = make([]float32, len(b)/4)
	wire.Floats(*v, b)
	return nil
}

// torchFixture is the format of the files that testdata/make_fixtures.py writes.
type torchFixture struct {
	Batch int
	Sets  map[string]struct {
		Rows, Features int
		X, Y           vector
	}
	Models []torchModel
}

type torchModel struct {
	Name, Set string
	Loss      job.Loss
	Layers    []job.Layer
	Tensors   []struct {
		Name  string
		Shape []int
	}
	Initial vector
	Runs    []torchRun
}

type torchRun struct {
	Name      string
	Optimizer job.Optimizer
	Losses    []float64
	Final     vector
}

func readTorch(t *testing.T, file string) (fixture torchFixture) {
	unpack(t, file, &fixture)
	return fixture
}

// unpack decodes a fixture, which is gzip of JSON.
func unpack(t *testing.T, file string, fixture any) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(fixture))
}

// torchRows are the rows on which a fixture trained: batch after batch, in order.
type torchRows struct {
	x, y                  []float32
	rows, features, batch int
}

// follow trains w, and compares the loss of every step with PyTorch's, within a relative
// tolerance.
func (d torchRows) follow(t *testing.T, n network, fold *optim.Fold, w model.Weights, losses []float64, tolerance float64) {
	t.Helper()
	grad, state := make([]float32, n.Params()), make([][]float32, fold.Vectors())
	for i := range state {
		state[i] = make([]float32, n.Params())
	}
	e, x, targets, at, worst := executor.New(nil), rowsOf(d.x, d.rows, d.features), len(d.y)/d.rows, 0, 0.0
	m := executor.Model{Network: n.Network, Objective: n.of, Weights: w}
	for step, want := range losses {
		end := min(at+d.batch, d.rows)
		sum, weighted := n.of.Units(d.y[at*targets : end*targets])
		if !weighted {
			sum = int64(end - at)
		}
		var total [1]float64
		b := executor.Batch{X: x, Y: d.y, First: at, Bounds: []int{0, end - at}}
		require.NoError(t, e.Gradient(grad, total[:], m, b, executor.Hooks{}))
		loss := n.of.Mean(total[0], sum)
		require.InEpsilon(t, want, loss, tolerance, "step %d", step)
		worst = max(worst, math.Abs((loss-want)/want))
		fold.Apply(w.Trained, state, int64(step), grad[:n.Params()-n.Statistics()], n.of.Divisor(sum))
		average(n.Network, w.Trained, grad, end-at)
		at = end % d.rows
	}
	t.Logf("greatest relative difference of a loss %.1e", worst)
}

// average moves the running statistics as package gradient does.
func average(n *model.Network, params, sums []float32, rows int) {
	for _, i := range n.Batchwise() {
		l := n.Nodes()[i].Layer.(model.Batchwise)
		for _, s := range l.Running() {
			numeric.Running(params[s.Offset:s.Offset+s.Len], sums[s.Offset:s.Offset+s.Len], float64(rows*l.Output().Positions), l.Momentum())
		}
	}
}

// requireNear compares the parameters with PyTorch's.
func requireNear(t *testing.T, want, got []float32, tolerance float64) {
	t.Helper()
	for i, v := range want {
		require.InDelta(t, v, got[i], tolerance, "parameter %d", i)
	}
}

// From the same weights and rows, the loss of every step equals PyTorch's within 1e-4
// relative for 100 steps. The same holds for the final weights.
func TestFollowsTorch(t *testing.T) {
	fixture := readTorch(t, "testdata/torch.json.gz")
	for _, m := range fixture.Models {
		for _, run := range m.Runs {
			t.Run(m.Name+"/"+run.Name, func(t *testing.T) { followTorch(t, fixture, m, run, 100, 1e-4) })
		}
	}
}

// The optimizers that PyTorch's fixture of its own has: the loss of every step within 1e-5
// relative for 50 steps. The script that makes it wrote Lion after the paper.
func TestOptimizersFollowTorch(t *testing.T) {
	fixture := readTorch(t, "testdata/optimizers.json.gz")
	fixture.Sets = readTorch(t, "testdata/torch.json.gz").Sets
	for _, m := range fixture.Models {
		for _, run := range m.Runs {
			t.Run(m.Name+"/"+run.Name, func(t *testing.T) { followTorch(t, fixture, m, run, 50, 1e-5) })
		}
	}
}

// followTorch compares the losses of a run, within a relative tolerance, and the final
// weights.
func followTorch(t *testing.T, fixture torchFixture, m torchModel, run torchRun, steps int, tolerance float64) {
	set := fixture.Sets[m.Set]
	n := compile(t, m.Loss, set.Features, m.Layers...)
	fold, err := optim.New(run.Optimizer, biases(n.Tensors())...)
	require.NoError(t, err)

	require.Len(t, run.Losses, steps)
	w := n.weights(append([]float32(nil), m.Initial...))
	torchRows{set.X, set.Y, set.Rows, set.Features, fixture.Batch}.follow(t, n, fold, w, run.Losses, tolerance)
	requireNear(t, run.Final, w.Trained, 1e-5)
}

// biases returns the ranges of the biases.
func biases(tensors []model.Tensor) (ranges []optim.Range) {
	for _, t := range tensors {
		if t.Group == model.Bias {
			ranges = append(ranges, optim.Range{Lo: t.Offset, Hi: t.Offset + t.Len})
		}
	}
	return ranges
}

// Tensors have the names and layout of the state_dict of a module whose attribute layers is
// an nn.Sequential.
func TestTensorsAreTorchs(t *testing.T) {
	fixture := readTorch(t, "testdata/torch.json.gz")
	for _, m := range fixture.Models {
		n := compile(t, m.Loss, fixture.Sets[m.Set].Features, m.Layers...)
		require.Len(t, m.Initial, n.Params())
		offset := 0
		for i, tensor := range n.Tensors() {
			require.Equal(t, m.Tensors[i].Name, tensor.Name)
			require.Equal(t, m.Tensors[i].Shape, tensor.Shape)
			require.Equal(t, offset, tensor.Offset)
			offset += tensor.Len
		}
		require.Equal(t, n.Params(), offset)
		require.Len(t, m.Tensors, len(n.Tensors()))
	}
}
