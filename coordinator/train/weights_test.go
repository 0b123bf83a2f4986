package train

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// With several labels and weights of rows, distributed over three workers, the bits are those
// of serial training.
func TestSeveralLabelsAreTheSameForAnyFleet(t *testing.T) {
	var rows strings.Builder
	rows.WriteString("x,w,y,z\n")
	for i := range 300 {
		x := float64(i%61)/30 - 1
		fmt.Fprintf(&rows, "%v,%v,%d,%d\n", x, float64(i%7)/3, i%61/31, (i%61/15)%2)
	}
	source := filepath.Join(t.TempDir(), "rows.csv")
	require.NoError(t, os.WriteFile(source, []byte(rows.String()), 0o600))
	for _, of := range []string{"loss: mse", "loss: multilabel_cross_entropy"} {
		label := "none"
		if of == "loss: mse" {
			label = "standard"
		}
		text := fmt.Sprintf("id: labels\nname: labels\ndata: {source: %s, label: [z, y], weight: w, transform: {label: %s}}\n"+
			"model: {layers: [{dense: {units: 8, activation: tanh}}, {dense: {units: 2}}]}\n%s\noptimizer: {adam: {learning_rate: 0.02}}\n"+
			"batch: 64\nmicrobatches: 4\nepochs: 5\nmetrics: [mae]\n", source, label, of)
		o, dir := trained(t, text, 3)
		want, _ := reference(t, decoded(t, text))
		require.Equal(t, want, o.ParametersSHA256)
		checkFiles(t, dir, o)
	}
}
