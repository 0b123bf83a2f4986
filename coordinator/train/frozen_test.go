package train

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/registry"
)

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
