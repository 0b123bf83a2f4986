package train

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/progress"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
	"tributary/shared/spec"
)

// train runs the command on embedded servers. It returns the printed outcome and the
// model's folder.
func train(t *testing.T, text string, workers int) (*job.Outcome, string, error) {
	t.Helper()
	c := &Command{Workers: workers, Out: filepath.Join(t.TempDir(), "model")}
	require.NoError(t, c.Validate())
	o, err := begin(t.Context(), t.Context(), c, text, io.Discard)
	return o, c.Out, err
}

// begin runs Command.Run without a terminal.
func begin(soft, hard context.Context, c *Command, text string, lines io.Writer) (*job.Outcome, error) {
	display := progress.New(lines, false)
	defer display.Done()
	return c.train(lifecycle.Contexts{Soft: soft, Hard: hard}, []byte(text), display, zerolog.Nop()) //nolint:contextcheck // both contexts are passed
}

// trained calls train for a job that succeeds.
func trained(t *testing.T, text string, workers int) (*job.Outcome, string) {
	t.Helper()
	o, dir, err := train(t, text, workers)
	require.NoError(t, err)
	return o, dir
}

// worked returns the text of a worked job.
func worked(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("deployments/jobs", file))
	require.NoError(t, err)
	return string(data)
}

// replaced is strings.Replace, but fails unless old occurs exactly once.
func replaced(t *testing.T, text, old, with string) string {
	t.Helper()
	require.Equal(t, 1, strings.Count(text, old), old)
	return strings.Replace(text, old, with, 1)
}

func decoded(t *testing.T, text string) *job.Spec {
	t.Helper()
	s, err := spec.Decode([]byte(text))
	require.NoError(t, err)
	return s
}

// loaded reads the model of a job.
func loaded(t *testing.T, dir string) *registry.Model {
	t.Helper()
	m, err := registry.Load(dir)
	require.NoError(t, err)
	return m
}

// column reads a column of a packed CSV file.
func column(t *testing.T, path, name string) []string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	records, err := csv.NewReader(z).ReadAll()
	require.NoError(t, err)
	at := -1
	for i, h := range records[0] {
		if h == name {
			at = i
		}
	}
	require.GreaterOrEqual(t, at, 0, name)
	var cells []string
	for _, r := range records[1:] {
		cells = append(cells, r[at])
	}
	return cells
}
