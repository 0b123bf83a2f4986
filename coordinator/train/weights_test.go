package train

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// With weights of classes and the focal loss, distributed over three workers, the bits are
// those of serial training.
func TestWeightedLossesAreTheSameForAnyFleet(t *testing.T) {
	for name, more := range map[string]string{
		"classes": "\nclass_weights: {'0': 3.7, '9': 0.2}\n",
		"focal":   "\nclass_weights: balanced\nfocal_gamma: 2\n",
	} {
		t.Run(name, func(t *testing.T) {
			text := short + more
			o, dir := trained(t, text, 3)
			want, _ := reference(t, decoded(t, text))
			require.Equal(t, want, o.ParametersSHA256)
			require.Less(t, *o.TrainLoss, 1.5)
			checkFiles(t, dir, o)
		})
	}
}
