package train

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Activations, group norms, batch normalisation and penalties on weights, distributed over three workers: the bits
// are those of serial training.
func TestLayersAndPenaltiesAreTheSameForAnyFleet(t *testing.T) {
	text := replaced(t, short, "[{dense: {units: 32, activation: relu}}, {dense: {units: 10}}]",
		`[{dense: {units: 32, kernel_regularizer: {l1: 0.0001, l2: 0.001}}}, {group_norm: {groups: 4}}, {activation: mish},
  {dense: {units: 16, activation: leaky_relu}}, {batch_norm: {}}, {dense: {units: 10, kernel_regularizer: {l2: 0.01}}}]`)
	o, dir := trained(t, text, 3)
	want, _ := reference(t, decoded(t, text))
	require.Equal(t, want, o.ParametersSHA256)
	require.Less(t, *o.TrainLoss, 1.0)
	checkFiles(t, dir, o)
}
