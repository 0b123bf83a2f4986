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
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(&fixture))
	return fixture
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

	params, grad := append([]float32(nil), m.Initial...), make([]float32, n.Params())
	state := make([][]float32, fold.Vectors())
	for i := range state {
		state[i] = make([]float32, n.Params())
	}
	w, targets, at, worst := executor.New(nil), len(set.Y)/set.Rows, 0, 0.0
	require.Len(t, run.Losses, steps)
	for step, want := range run.Losses {
		end := min(at+fixture.Batch, set.Rows)
		x, y, rows := set.X[at*set.Features:end*set.Features], set.Y[at*targets:end*targets], end-at
		loss := n.gradient(t, grad, w, params, x, y, rows) / float64(rows)
		require.InEpsilon(t, want, loss, tolerance, "step %d", step)
		worst = max(worst, math.Abs(loss-want)/want)
		fold.Apply(params, state, int64(step), grad, float32(rows))
		at = end % set.Rows
	}
	largest := 0.0
	for i, want := range run.Final {
		require.InDelta(t, want, params[i], 1e-5, "parameter %d", i)
		largest = max(largest, math.Abs(float64(want-params[i])))
	}
	t.Logf("greatest relative difference of a loss %.1e, of a final weight %.1e absolute", worst, largest)
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
