package ingest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestRoots(t *testing.T) {
	top := t.TempDir()
	root, other := filepath.Join(top, "data"), filepath.Join(top, "other")
	for path, content := range map[string]string{"data/a.csv": "a", "data/my größe 5%.csv": "g", "data/sub/b.csv": "b", "other/c.csv": "c", "secret.csv": "secret", "data2/d.csv": "d"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(top, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(top, path), []byte(content), 0o600))
	}
	require.NoError(t, os.Symlink(filepath.Join(top, "secret.csv"), filepath.Join(root, "out.csv")))
	require.NoError(t, os.Symlink("..", filepath.Join(root, "up")))
	require.NoError(t, os.Symlink("sub/b.csv", filepath.Join(root, "in.csv")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600))
	t.Chdir(top)
	r := &Roots{Folders: []string{root, "other"}}
	read := func(r *Roots, source string) (string, error) {
		f, err := r.Open(t.Context(), source)
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid, source)
			return "", err
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		return string(data), err
	}
	for source, want := range map[string]string{
		root + "/a.csv": "a", "file:" + root + "/a.csv": "a", "file://" + root + "/a.csv": "a",
		"data/sub/b.csv": "b", "sub/b.csv": "b", "in.csv": "b", "data/in.csv": "b",
		"c.csv": "c", "other/c.csv": "c", filepath.Join(other, "c.csv"): "c", "data/sub/../a.csv": "a",
		"file://" + root + "/my%20gr%C3%B6%C3%9Fe%205%25.csv": "g", "file:data/my%20größe 5%25.csv": "g", "data/my größe 5%.csv": "g",
		"file://localhost" + root + "/a.csv": "a",
	} {
		got, err := read(r, source)
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	}
	for source, want := range map[string]string{
		"secret.csv": "no such file", "../secret.csv": "outside the data roots", "data/../secret.csv": "",
		filepath.Join(top, "secret.csv"): "outside the data roots", "/etc/passwd": "outside the data roots", "file:/etc/passwd": "outside the data roots",
		"data2/d.csv": "no such file", filepath.Join(top, "data2/d.csv"): "outside the data roots",
		"out.csv": "escapes", "data/out.csv": "escapes", "data/up/secret.csv": "escapes", "up/secret.csv": "escapes",
		"nothing.csv": "no such file", "sub": "not a regular file", "pipe": "not a regular file", "": "want the path of a file", "file:": "want the path of a file", "file:data/5%.csv": "write % as %25", "file:data/%2e%2e/secret.csv": "",
		"a\x00": "want the path", "http://host/a.csv": "not among the places", "ftp://host/a.csv": `scheme "ftp": want a path`, "nats:bucket": "want nats:<bucket>/<object>", "nats:b/o": "no object store",
	} {
		_, err := read(r, source)
		require.ErrorContains(t, err, want, source)
	}
	require.NotContains(t, r.Allowed("https://me:hidden@host/a.csv?key=hidden").Error(), "hidden")
	_, err := read(&Roots{}, "data/a.csv")
	require.ErrorContains(t, err, "outside the data roots")

	anywhere := &Roots{Anywhere: true}
	for _, source := range []string{"secret.csv", "file:secret.csv", filepath.Join(top, "secret.csv"), "data/../secret.csv"} {
		got, err := read(anywhere, source)
		require.NoError(t, err)
		require.Equal(t, "secret", got)
	}
	for _, source := range []string{"data", "data/pipe", "nothing"} {
		_, err := read(anywhere, source)
		require.Error(t, err)
	}
}

func TestObjectSource(t *testing.T) {
	r := &Roots{Object: func(_ context.Context, bucket, object string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(bucket + "|" + object)), nil
	}}
	f, err := r.Open(t.Context(), "nats:sets/2024/a.csv")
	require.NoError(t, err)
	data, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "sets|2024/a.csv", string(data))
}

// The error of a misspelt file suggests the right name, below a data root and anywhere.
func TestMisspeltFiles(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "sub"), 0o755))
	for _, name := range []string{"digits.csv.gz", "sub/credit.csv"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte("x"), 0o600))
	}
	for _, r := range []*Roots{{Folders: []string{root}}, {Anywhere: true}} {
		for source, want := range map[string]string{
			"digit.csv.gz": `file does not exist; did you mean "digits.csv.gz"?`, "sub/credits.csv": `; did you mean "credit.csv"?`,
			"sub/digits.csv.gz": "no such file or directory", "none/digits.csv.gz": "no such file or directory",
		} {
			_, err := r.Open(t.Context(), filepath.Join(root, source))
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, want)
			require.Equal(t, strings.Contains(want, "mean"), strings.Contains(err.Error(), "mean"), source)
		}
	}
}
