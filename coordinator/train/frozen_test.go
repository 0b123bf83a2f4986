package train

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/registry"
)

// A job whose tasks have a class of their own starts beside jobs of the base class, of which
// there are more than slots.
func TestAJobOfAnotherClassStartsOnABusyFleet(t *testing.T) {
	w := newWorld()
	w.work(t, "w", 1, nil)
	stop := w.coordinate(t)
	defer stop()
	busy := []job.ID{"a", "b", "c", "d", "e", "f"}
	for _, id := range busy {
		endless := replaced(t, replaced(t, short, "id: short", "id: "+string(id)), "epochs: 4", "steps: 1000000")
		w.submit(t, endless)
	}
	for _, id := range busy {
		require.Eventually(t, func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.records[id].Numerics != ""
		}, time.Minute, time.Millisecond)
	}
	s := w.submit(t, replaced(t, short, "{units: 32, activation: relu}", "{units: 32, activation: relu, trainable: false}"))
	r := w.ended(t, "short")
	want, _ := reference(t, s)
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Equal(t, want, r.Outcome.ParametersSHA256)
	require.Equal(t, []job.Capability{"frozen"}, r.Capabilities)
}

// Transfer learning: layers of another job's model are frozen, and the rest is trained on.
func TestFrozenLayersStayAsTheyWere(t *testing.T) {
	frozen := replaced(t, short, "{units: 32, activation: relu}", "{units: 32, activation: relu, trainable: false}")
	o, dir := trained(t, frozen, 3)
	want, r := reference(t, decoded(t, frozen))
	require.Equal(t, want, o.ParametersSHA256, "random features, and the same bits for any fleet")
	require.Len(t, r.Params, 32*10+10)
	checkFiles(t, dir, o)
	m := loaded(t, dir)
	require.Len(t, m.Weights.Frozen, 64*32+32)
	require.NotEmpty(t, m.Card.FrozenSHA256)

	_, whole := trained(t, short, 1)
	given := loaded(t, whole)
	require.Empty(t, given.Card.FrozenSHA256)
	from := replaced(t, frozen, "{units: 10}}]}", "{units: 10}}], init: {from: "+filepath.Join(whole, registry.WeightsFile)+"}}")
	o, dir = trained(t, from, 2)
	checkFiles(t, dir, o)
	m = loaded(t, dir)
	for i, tensor := range m.Network.Tensors() {
		before, after := given.Weights.Of(given.Network.Tensors()[i]), m.Weights.Of(tensor)
		if tensor.Frozen {
			require.Equal(t, before, after, tensor.Name)
		} else {
			require.NotEqual(t, before, after, tensor.Name)
		}
	}
	require.Less(t, *o.TrainLoss, 0.2, "it goes on from the model's loss")
}
