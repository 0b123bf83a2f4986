package spec_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/spec"
)

// For any bytes, Decode returns a spec, or an error that a person can read. A spec that
// decodes has a canonical form that decodes to the same digest.
func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"*.yaml", "*.json"} {
		names, err := filepath.Glob(filepath.Join(jobs, pattern))
		require.NoError(f, err)
		for _, name := range names {
			data, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(data)
		}
	}
	for _, text := range []string{minimal, "a: &x [1]\nb: *x\n<<: *x", "? a\n: - |\n  x\n", "{\"a\": [1e999, {}]}", "--- !!map {a: .nan}\n...\n", "%YAML 1.2\n---\na: >-\n x"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := spec.Decode(data)
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			require.Nil(t, s)
			return
		}
		text, digest, err := spec.Canonical(s)
		require.NoError(t, err)
		again, err := spec.Decode(text)
		require.NoError(t, err, "%s", text)
		_, digest2, err := spec.Canonical(again)
		require.NoError(t, err)
		require.Equal(t, digest, digest2)
	})
}
