package executor_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric/team"
)

// brittle is a layer that panics in the n-th call of one of its methods.
type brittle struct {
	model.Layer
	place string
	left  atomic.Int64
}

func (b *brittle) at(place string) {
	if place == b.place && b.left.Add(-1) == 0 {
		panic("on purpose: " + place)
	}
}

func (b *brittle) Prepare(f *model.Frame) { b.at("prepare"); b.Layer.Prepare(f) }
func (b *brittle) Forward(f *model.Frame) { b.at("forward"); b.Layer.Forward(f) }
func (b *brittle) Backward(f *model.Frame) {
	b.at("backward")
	b.Layer.Backward(f)
}

func (b *brittle) Differentiate(f *model.Frame, from, to int) {
	b.at("differentiate")
	b.Layer.Differentiate(f, from, to)
}

// A layer that panics, in any thread and in any method, gives an error. The executor and
// its threads work as before afterwards.
func TestALayerThatPanicsIsAnError(t *testing.T) {
	threads := team.New(2)
	defer threads.Close()
	const rows = 700
	n := compile(t, job.MSE, 9, layer(30, job.GELU), layer(20, job.ReLU), layer(2, ""))
	params := random(n.Params(), 1, 1)
	b := executor.Batch{X: rowsOf(random(rows*9, 2, 1), rows, 9), Y: labels(job.MSE, rows, 2), Bounds: []int{0, 300, rows}}
	want, losses := make([]float32, n.Params()), make([]float64, 2)
	require.NoError(t, executor.New(nil).Gradient(want, losses, n.under(params), b, executor.Hooks{}))
	z := n.forward(t, executor.New(nil), params, random(rows*9, 2, 1), rows)

	e := executor.New(threads)
	sound := n.Nodes()[1].Layer
	for _, place := range []string{"prepare", "forward", "differentiate", "backward"} {
		for after := range int64(3) {
			broken := &brittle{Layer: sound, place: place}
			broken.left.Store(after + 1)
			n.Nodes()[1].Layer = broken
			var p *team.Panic
			got := make([]float32, n.Params())
			if err := e.Gradient(got, losses, n.under(params), b, executor.Hooks{}); broken.left.Load() <= 0 {
				require.ErrorAs(t, err, &p, "%s %d", place, after)
				require.Equal(t, "on purpose: "+place, p.Value)
				require.Contains(t, string(p.Stack), "brittle")
			}
			n.Nodes()[1].Layer = sound
			require.NoError(t, e.Gradient(got, losses, n.under(params), b, executor.Hooks{}))
			require.Equal(t, want, got, "after a panic at %s", place)
			require.Equal(t, z, n.forward(t, e, params, random(rows*9, 2, 1), rows))
		}
	}
	broken := &brittle{Layer: sound, place: "forward"}
	broken.left.Store(1)
	n.Nodes()[1].Layer = broken
	var p *team.Panic
	require.ErrorAs(t, e.Forward(n.under(params), b.X, rows, func(int, int, []float32) error { return nil }), &p)
	n.Nodes()[1].Layer = sound
	require.Equal(t, z, n.forward(t, e, params, random(rows*9, 2, 1), rows))
}
