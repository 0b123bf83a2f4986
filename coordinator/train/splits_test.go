package train

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/verify"
	"tributary/shared/job"
)

// Every way to split gives the same model for any fleet, and the model is verified.
func TestWaysToSplitAreTheSameForAnyFleet(t *testing.T) {
	for name, split := range map[string]string{
		"group": "train: 0.6, validation: 0.2, test: 0.2, group: Marital",
		"time":  "train: 0.8, validation: 0.2, time: Age",
		"fold":  "k_folds: 4, fold: 3, test: 0.2, stratify: true",
	} {
		t.Run(name, func(t *testing.T) {
			text := replaced(t, worked(t, "credit.yaml"), "train: 0.8, validation: 0.1, test: 0.1, stratify: true", split)
			text = replaced(t, text, "epochs: 30", "epochs: 2")
			want, serial := reference(t, decoded(t, text))
			o, dir := trained(t, text, 3)
			require.Equal(t, want, o.ParametersSHA256)
			require.Equal(t, serial.Metrics, o.Metrics)
			require.Contains(t, o.Metrics, job.Validation)
			v, err := verified(t, dir, verify.Request{})
			require.NoError(t, err)
			require.Equal(t, job.Verified, v.State, "%+v", v)
		})
	}
}
