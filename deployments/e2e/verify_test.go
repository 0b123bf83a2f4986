//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/deployments/e2e/programs"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

// The verify command on a job of real servers, and on the job's output folder after a
// mark in it was changed. The program starts a second process of itself that uses other
// kernels.
func TestTheVerifyCommand(t *testing.T) {
	s := programs.StartServers(t)
	dir := t.TempDir()
	o := programs.Train(t.Context(), t, "deployments/jobs/digits.yaml", "--nats", s.NATS, "--redis", s.Redis, "--workers", "2", "--out", dir)

	v, status := programs.Verify(t.Context(), t, string(o.Job), "--nats", s.NATS, "--redis", s.Redis)
	require.Zero(t, status)
	require.Equal(t, job.Verified, v.State)
	require.Equal(t, o.ParametersSHA256, v.ParametersSHA256)
	require.Equal(t, o.Steps, v.Compared)
	v, status = programs.Verify(t.Context(), t, dir, "--sample", "5")
	require.Zero(t, status)
	require.Len(t, v.Sample, 5)
	v, status = programs.Verify(t.Context(), t, "nobody", "--nats", s.NATS, "--redis", s.Redis)
	require.Equal(t, 1, status)
	require.Contains(t, v.Error, `there is no job "nobody"`)

	path := filepath.Join(dir, history.FileName)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := history.Decode(data)
	require.NoError(t, err)
	marks := f.History.Marks(o.Steps)
	marks[41] = ledger.Mark{1}
	changed := history.File{Plan: f.Plan, ChunkLen: f.ChunkLen}
	require.NoError(t, changed.History.Add(0, marks))
	data, err = changed.Encode(o.Steps)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	v, status = programs.Verify(t.Context(), t, dir)
	require.Equal(t, 1, status)
	require.Equal(t, job.Differs, v.State)
	require.EqualValues(t, 41, v.Difference.Step)
	require.Equal(t, job.WrongRecord, v.Difference.Wrong, v.Difference.Message)
	require.Contains(t, v.Difference.Message, "kernels of this machine agree with each other")
}
