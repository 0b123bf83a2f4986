package train

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

// stopped trains until a line contains the words, and then stops.
func stopped(t *testing.T, c *Command, text, words string) error {
	t.Helper()
	soft, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	_, err := begin(soft, t.Context(), c, text, &trigger{words: words, act: func() { stop(lifecycle.ErrStopped) }})
	require.ErrorIs(t, err, lifecycle.ErrStopped)
	return err
}

// long is a job that runs long enough to be stopped, but ends: 1,200 steps.
func long(t *testing.T) string {
	t.Helper()
	return replaced(t, worked(t, "digits.yaml"), "epochs: 30", "epochs: 200")
}

func TestAStoppedJobGoesOnFromItsFolder(t *testing.T) {
	spec := long(t)
	want, _ := reference(t, decoded(t, spec))
	out := filepath.Join(t.TempDir(), "model")
	err := stopped(t, &Command{Spec: "digits.yaml", Workers: 2, Out: out}, spec, "step 30:")
	require.ErrorContains(t, err, "\nto go on from there: coordinator train digits.yaml --resume --workers 2 --out "+out)
	first, err := readState(out)
	require.NoError(t, err)
	require.GreaterOrEqual(t, first.Checkpoints[0].Step, int64(30))

	_, err = begin(t.Context(), t.Context(), &Command{Workers: 1, Out: out}, spec, io.Discard)
	require.ErrorContains(t, err, "use --resume to go on from there, or --force to begin again")
	_, err = begin(t.Context(), t.Context(), &Command{Workers: 1, Out: out, Resume: true}, replaced(t, spec, "epochs: 200", "epochs: 201"), io.Discard)
	require.ErrorContains(t, err, "is of another spec")
	_, err = begin(t.Context(), t.Context(), &Command{Workers: 1, Out: t.TempDir(), Resume: true}, spec, io.Discard)
	require.ErrorContains(t, err, "holds no training state")

	err = stopped(t, &Command{Workers: 1, Out: out, Resume: true}, spec, "step 120:")
	require.ErrorContains(t, err, "was cancelled after step")
	second, err := readState(out)
	require.NoError(t, err)
	require.Greater(t, second.Checkpoints[0].Step, first.Checkpoints[0].Step)

	var lines bytes.Buffer
	got, err := begin(t.Context(), t.Context(), &Command{Workers: 3, Out: out, Resume: true}, spec, &lines)
	require.NoError(t, err)
	require.Equal(t, want, got.ParametersSHA256)
	require.Contains(t, lines.String(), "going on from the checkpoint after step")
	require.NotContains(t, lines.String(), "step 30:", "that evaluation was made before")
	last, err := readState(out)
	require.NoError(t, err)
	require.Equal(t, job.Succeeded, last.State, "it is kept for more epochs")
	require.Equal(t, got.Steps, last.Checkpoints[0].Step)
	require.FileExists(t, filepath.Join(out, registry.WeightsFile))
	_, err = begin(t.Context(), t.Context(), &Command{Workers: 1, Out: out, Resume: true}, spec, io.Discard)
	require.ErrorContains(t, err, "has ended; its model is in "+out)
}

func unpacked(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	data, err = io.ReadAll(z)
	require.NoError(t, err)
	return data
}

// The training state of a job cannot be used for other data; an error says so, and
// nothing is lost.
func TestAStoppedJobWhoseDataHasChanged(t *testing.T) {
	data, err := os.ReadFile("deployments/data/digits.csv.gz")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "digits.csv.gz")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	spec := replaced(t, endless(t), "deployments/data/digits.csv.gz", path)
	out := filepath.Join(t.TempDir(), "model")
	require.Error(t, stopped(t, &Command{Workers: 1, Out: out}, spec, "step 30:"))

	rows := unpacked(t, data)
	require.NoError(t, os.WriteFile(path, rows[:bytes.LastIndexByte(rows[:len(rows)-1], '\n')+1], 0o600))
	_, err = begin(t.Context(), t.Context(), &Command{Workers: 1, Out: out, Resume: true}, spec, io.Discard)
	require.ErrorContains(t, err, "belongs to other data")
	_, err = readState(out)
	require.NoError(t, err)
}

// A folder's checkpoint is complete and of the newest saved step.
func TestTheNewestCheckpointIsKept(t *testing.T) {
	out := filepath.Join(t.TempDir(), "model")
	require.Error(t, stopped(t, &Command{Workers: 1, Out: out}, endless(t), "step 6:"))
	kept, err := readState(out)
	require.NoError(t, err)
	from, err := blob.NewDirectory(filepath.Join(out, stateFolder, blobsFolder))
	require.NoError(t, err)
	other := &state{dir: t.TempDir(), from: from}
	require.NoError(t, other.save(kept))
	older := kept
	older.Checkpoints = []job.Checkpoint{{Step: kept.Checkpoints[0].Step - 1, Digest: blob.DigestOf(nil)}}
	require.NoError(t, other.save(older), "an older one is passed over")
	newer := kept
	newer.Checkpoints = []job.Checkpoint{{Step: kept.Checkpoints[0].Step + 1, Digest: blob.DigestOf(nil)}}
	require.ErrorIs(t, other.save(newer), job.ErrNotFound)
	again, err := readState(other.dir)
	require.NoError(t, err)
	require.Equal(t, kept, again)
	require.NoError(t, os.WriteFile(filepath.Join(other.dir, stateFolder, "mine"), nil, 0o600))
	require.NoError(t, other.drop())
	_, err = readState(other.dir)
	require.ErrorIs(t, err, job.ErrNotFound)
	require.NoDirExists(t, filepath.Join(other.dir, stateFolder, blobsFolder))
	require.FileExists(t, filepath.Join(other.dir, stateFolder, "mine"), "what is not the job's stays")
	require.NoError(t, other.drop())
	for _, text := range []string{"", "{", `{"id":"../x","run":"r","checkpoints":[{}]}`, `{"id":"x","run":"r"}`} {
		require.NoError(t, os.WriteFile(filepath.Join(other.dir, stateFolder, recordFile), []byte(text), 0o600))
		_, err := readState(other.dir)
		require.ErrorIs(t, err, job.ErrCorrupt, text)
		c := &Command{Workers: 1, Out: other.dir}
		_, err = begin(t.Context(), t.Context(), c, worked(t, "line.json"), io.Discard)
		require.ErrorContains(t, err, "cannot be read (")
	}
}

// On given servers the job itself is resumed.
func TestAStoppedJobGoesOnOnItsServers(t *testing.T) {
	natsURL, redisURL := servers(t)
	spec := "id: again\n" + long(t)
	command := func(resume bool) *Command {
		return &Command{Spec: "-", Workers: 1, NATS: access.URL(natsURL), Redis: access.URL(redisURL), Blobs: "nats", Out: filepath.Join(t.TempDir(), "model"), Resume: resume}
	}
	err := stopped(t, command(false), spec, "step 30:")
	require.ErrorContains(t, err, "to go on from there: coordinator train - --resume --out ")
	require.ErrorContains(t, err, "(with --nats and --redis as now, and id: again in the spec) (with the same spec on standard input)")
	var lines bytes.Buffer
	got, err := begin(t.Context(), t.Context(), command(true), spec, &lines)
	require.NoError(t, err)
	require.Contains(t, lines.String(), "going on from the checkpoint after step")
	want, _ := reference(t, decoded(t, spec))
	require.Equal(t, want, got.ParametersSHA256)
}

func TestWhereTheModelGoesIsTriedFirst(t *testing.T) {
	taken := filepath.Join(t.TempDir(), "taken")
	require.NoError(t, os.WriteFile(taken, nil, 0o600))
	digits, line := worked(t, "digits.yaml"), worked(t, "line.json")
	for _, dir := range []string{taken, filepath.Join(taken, "model"), "/proc/nope"} {
		var lines bytes.Buffer
		_, err := begin(t.Context(), t.Context(), &Command{Workers: 1, Out: dir}, digits, &lines)
		require.ErrorContains(t, err, "--out: the model could not be written: ", dir)
		require.Empty(t, lines.String(), "nothing was prepared")
	}

	out := filepath.Join(t.TempDir(), "model")
	c := &Command{Workers: 1, Out: out}
	_, err := begin(t.Context(), t.Context(), c, line, io.Discard)
	require.NoError(t, err)
	_, err = begin(t.Context(), t.Context(), c, line, io.Discard)
	require.NoError(t, err, "the same model again")
	_, err = begin(t.Context(), t.Context(), c, digits, io.Discard)
	require.ErrorContains(t, err, "holds the model of job line, which has another spec: use --force to overwrite it")
	require.EqualValues(t, "line", loaded(t, out).Card.ID)
	require.NoError(t, os.WriteFile(filepath.Join(out, registry.CardFile), []byte("{"), 0o600))
	_, err = begin(t.Context(), t.Context(), c, line, io.Discard)
	require.ErrorContains(t, err, "holds a model that cannot be read")
	c.Force = true
	_, err = begin(t.Context(), t.Context(), c, line, io.Discard)
	require.NoError(t, err)
	require.EqualValues(t, "line", loaded(t, out).Card.ID)
}

// If the folder is gone when the model is ready, the model is saved in another place and
// not lost.
func TestAModelThatCannotBePutWhereItWasToGo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	out := filepath.Join(t.TempDir(), "model")
	c := &Command{Workers: 1, Out: out}
	o, err := begin(t.Context(), t.Context(), c, worked(t, "digits.yaml"), &trigger{words: "step 6:", act: func() {
		require.NoError(t, os.WriteFile(out, []byte("a file by now"), 0o600))
	}})
	require.NoError(t, err)
	require.ErrorContains(t, c.misplaced, "the model is in "+o.Out)
	require.Equal(t, os.TempDir(), filepath.Dir(o.Out))
	require.Equal(t, o.ParametersSHA256, loaded(t, o.Out).Card.ParametersSHA256)

	c.NATS = "nats://given"
	_, err = c.keep("line", map[string][]byte{"model.json": nil})
	require.Error(t, err)
	require.ErrorContains(t, c.misplaced, "the model is in the registry: nats object get tributary-models line/model.safetensors")
}

func TestQuotedWords(t *testing.T) {
	for word, want := range map[string]string{"a/b.yaml": "a/b.yaml", "": "''", "my job.yaml": "'my job.yaml'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "é": "'é'"} {
		require.Equal(t, want, quoted(word))
	}
}
