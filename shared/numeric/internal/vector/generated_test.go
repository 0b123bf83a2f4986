package vector

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The assembly is the output of the generator programs: go generate changes no byte.
func TestGeneratedFilesAreThoseOfThePrograms(t *testing.T) {
	dir := t.TempDir()
	generator := filepath.Join(dir, "generator")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "gen", "-o", generator, "./functions")
	build.Env = append(os.Environ(), "GOARCH=", "GOFLAGS=") // the generator runs here, whatever CPU the test is for
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)
	for file, family := range map[string]string{"function": "functions", "loop": "loops"} {
		for set, arch := range map[string]string{"avx2": "amd64", "avx512": "amd64", "neon": "arm64"} {
			name := file + "_" + set + "_" + arch
			out, stubs := filepath.Join(dir, name+".s"), filepath.Join(dir, name+".go")
			said, err := exec.CommandContext(t.Context(), generator, "-family", family, "-set", set, "-out", out, "-stubs", stubs).CombinedOutput()
			require.NoError(t, err, "%s", said)
			for _, made := range []string{out, stubs} {
				want, err := os.ReadFile(filepath.Base(made))
				require.NoError(t, err)
				got, err := os.ReadFile(made)
				require.NoError(t, err)
				require.True(t, string(want) == string(got), "%s: run go generate", filepath.Base(made))
			}
		}
	}
}
