package jobs

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/numeric"
	"tributary/shared/numeric/isa"
	"tributary/shared/plan"
	"tributary/shared/registry"
	"tributary/shared/serial"
	"tributary/shared/spec"
)

var rewrite = flag.Bool("rewrite", false, "train every job, those with fetched data too, and rewrite DIGESTS")

// file has one line for each example job.
const file = "DIGESTS"

const head = `# The SHA-256 of each worked job's final parameters, with arithmetic %s, on any CPU and any fleet.
# Other digests are another version of the arithmetic (shared/numeric/version.go) and a breaking change.
# go test ./deployments/jobs -rewrite
`

// fetched lists the jobs whose data is not in the repository. The tests of deployments/e2e
// train them.
var fetched = []string{"mnist.yaml", "coupons.yaml"}

// Every example job ends with the same parameters as always.
func TestDigests(t *testing.T) {
	t.Chdir("../..") // the paths of data in specs are relative to this folder
	var jobs []string
	for _, pattern := range []string{"*.yaml", "line.json"} {
		found, err := filepath.Glob(filepath.Join("deployments/jobs", pattern))
		require.NoError(t, err)
		jobs = append(jobs, found...)
	}
	if *rewrite {
		var b bytes.Buffer
		fmt.Fprintf(&b, head, numeric.Version)
		for _, path := range jobs {
			fmt.Fprintf(&b, "%s  %s\n", train(t, path), filepath.Base(path))
		}
		require.NoError(t, os.WriteFile(filepath.Join("deployments/jobs", file), b.Bytes(), 0o644))
	}
	want := read(t)
	require.Len(t, want, len(jobs))
	for _, path := range jobs {
		name := filepath.Base(path)
		require.Contains(t, want, name)
		if slices.Contains(fetched, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			require.Equal(t, want[name], train(t, path), "on the %s kernels", isa.Chosen())
		})
	}
}

// The file names the version of the arithmetic that it belongs to.
func TestDigestsAreOfTheVersion(t *testing.T) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf(head, numeric.Version))
}

// read returns the digest of each job.
func read(t *testing.T) map[string]job.Digest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("deployments/jobs", file))
	require.NoError(t, err)
	digests := map[string]job.Digest{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if digest, name, ok := strings.Cut(lines.Text(), "  "); ok {
			require.Len(t, digest, 64)
			digests[name] = job.Digest(digest)
		}
	}
	return digests
}

// train trains a job in the plain loop and returns the digest of its parameters.
func train(t *testing.T, path string) job.Digest {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	s, err := spec.Decode(text)
	require.NoError(t, err)
	blobs := blob.NewMemory(0)
	manifest, err := ingest.Run(t.Context(), s, &ingest.Roots{Anywhere: true}, blobs, nil)
	require.NoError(t, err)
	p := &plan.Plan{Version: plan.Version, Spec: *s, Dataset: *manifest, ChunkLen: 1 << 16}
	e, err := gradient.Compile(t.Context(), p, blobs, dataset.NewCache(blobs, 1<<28))
	require.NoError(t, err)
	r, err := serial.Train(t.Context(), e)
	require.NoError(t, err)
	return registry.ParametersDigest(r.Params)
}
