package spec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/spec"
)

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "job.yaml")
	require.NoError(t, os.WriteFile(file, []byte(minimal), 0o600))
	data, err := spec.Read(file)
	require.NoError(t, err)
	require.Equal(t, minimal, string(data))

	require.NoError(t, os.WriteFile(file, []byte(minimal+"#"+strings.Repeat("x", 2*spec.MaxBytes)), 0o600))
	data, err = spec.Read(file)
	require.NoError(t, err)
	_, err = spec.Decode(data)
	require.ErrorContains(t, err, "want at most 1048576")

	_, err = spec.Read(file + ".none")
	require.ErrorIs(t, err, os.ErrNotExist)
}
