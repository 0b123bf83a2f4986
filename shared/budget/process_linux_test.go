package budget

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// The test runs itself again under a limit on its address space.
func TestALimitOnTheAddressSpace(t *testing.T) {
	if os.Getenv("TRIBUTARY_TEST_LIMITED") != "" {
		b := Find(0)
		require.Equal(t, "ulimit -v", b.Source)
		require.Less(t, b.Limit, int64(3000000<<10))
		require.Greater(t, b.Limit, int64(1000000<<10))
		return
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `ulimit -v 3000000 && exec "$0" -test.run '^TestALimitOnTheAddressSpace$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "TRIBUTARY_TEST_LIMITED=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
