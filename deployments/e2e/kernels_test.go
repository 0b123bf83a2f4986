//go:build e2e

package e2e

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/deployments/e2e/programs"
)

// Each instruction set of this CPU, portable Go, and NEON on an emulated ARM train a job
// alone. Then all of them train it together, each in its own worker process of one real
// fleet. All results have the same digest.
func TestAnyKernelsGiveTheSameBits(t *testing.T) {
	for _, path := range []string{"deployments/jobs/digits.yaml", "deployments/e2e/testdata/mnist-short.yaml"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
			defer cancel()
			path := with(t, path)
			want := plainly(t, path)
			for _, k := range programs.AllKernels() {
				o := k.Train(ctx, t, path)
				require.Equal(t, want, o.ParametersSHA256, "on %s", k)
				t.Logf("%s alone: %s, %.1f s", k, o.ParametersSHA256, o.Seconds)
			}

			s := programs.StartServers(t)
			var fleet []programs.Member
			for _, k := range programs.AllKernels() {
				fleet = append(fleet, s.Member(t, k))
			}
			o := programs.Train(ctx, t, path, "--nats", s.NATS, "--redis", s.Redis, "--workers", "0", "--share", "always")
			require.Equal(t, want, o.ParametersSHA256, "a mixed fleet")
			t.Logf("together: %s, %.1f s", o.ParametersSHA256, o.Seconds)
			for _, m := range fleet {
				tasks, set := m.Tasks(t)
				require.Equal(t, m.Set, set)
				require.Positive(t, tasks, "the worker on %s did nothing", set)
				t.Logf("%s in the fleet: %d gradient tasks", set, tasks)
			}
		})
	}
}
