package fleet_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/deployments/bench/fleet"
	"tributary/shared/spec"
)

func TestSpecsAreValid(t *testing.T) {
	for name, s := range map[string]fleet.Object{
		"tiny": fleet.Tiny(10, 2),
		"wide": fleet.Tiny(10, 64),
		"a":    fleet.MNIST("a", fleet.SGD(0.1), 1, 2),
		"b":    fleet.MNIST("b", fleet.Adam(1e-3), 5, 16, 256, 128),
	} {
		data, err := json.Marshal(s)
		require.NoError(t, err, name)
		_, err = spec.Decode(data)
		require.NoError(t, err, name)
	}
}

func TestThisProcessHasUsedMemory(t *testing.T) {
	require.Greater(t, fleet.OwnPeakRSS(), int64(1<<20))
}
