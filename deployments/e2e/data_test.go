//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/deployments/e2e/programs"
	"tributary/shared/job"
)

// TestCouponsAreLearned compares embedded categories with the AUC of a logistic regression,
// 0.734, and of a factorization machine, 0.744, on these answers.
func TestCouponsAreLearned(t *testing.T) {
	o := programs.Train(t.Context(), t, "deployments/jobs/coupons.yaml", "--workers", "2")
	require.GreaterOrEqual(t, o.Metrics[job.Test]["auc"], 0.8)
	require.Less(t, o.BestStep, o.Steps)
	digests, err := os.ReadFile(filepath.Join(programs.Root, "deployments/jobs/DIGESTS"))
	require.NoError(t, err)
	require.Contains(t, string(digests), string(o.ParametersSHA256)+"  coupons.yaml\n")
}

// TestASweepFindsGoodSettings runs a whole sweep. The best trial, which the validation split
// chose, is good on the test split too.
func TestASweepFindsGoodSettings(t *testing.T) {
	var o struct {
		Trials, Failed int
		Best           struct {
			Metrics map[job.Split]map[string]float64
		}
	}
	require.NoError(t, json.Unmarshal(programs.Sweep(t.Context(), t, "deployments/jobs/sweeps/credit.yaml"), &o))
	require.Equal(t, []int{24, 0}, []int{o.Trials, o.Failed})
	require.GreaterOrEqual(t, o.Best.Metrics[job.Test]["auc"], 0.84)
}
