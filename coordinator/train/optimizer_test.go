package train

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The optimizers with the most and with other state, distributed over three workers: the
// bits are those of serial training.
func TestEveryOptimizerIsTheSameForAnyFleet(t *testing.T) {
	for name, optimizer := range map[string]string{
		"rmsprop": "{rmsprop: {learning_rate: 0.003, momentum: 0.5, centered: true, epsilon: 0.001, clip_value: 0.01}}",
		"adagrad": "{adagrad: {learning_rate: 0.2, lr_decay: 0.01, initial_accumulator_value: 0.1, clip_norm: 1}}",
		"lion":    "{lion: {learning_rate: 0.01, weight_decay: 0.1, decay_bias: false}}",
	} {
		t.Run(name, func(t *testing.T) {
			text := replaced(t, short, "{sgd: {learning_rate: 0.1, momentum: 0.9}}", optimizer)
			o, dir := trained(t, text, 3)
			want, _ := reference(t, decoded(t, text))
			require.Equal(t, want, o.ParametersSHA256)
			require.Less(t, *o.TrainLoss, 1.0)
			checkFiles(t, dir, o)
		})
	}
}
