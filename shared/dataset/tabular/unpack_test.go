package tabular_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

var testContext = context.Background()

// bzip2Text is "a,b\n1,2\n", packed by bzip2 1.0.8.
const bzip2Text = "QlpoOTFBWSZTWb+HQH8AAANZAAAQAAQwADAAIAAwwAhpsogjJ4u5IpwoSF/DoD+A"

func zstdOf(t *testing.T, text string, options ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, options...)
	require.NoError(t, err)
	_, err = io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// zipOf makes an archive of files, by name.
func zipOf(t *testing.T, files ...string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "a.zip"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	w := zip.NewWriter(f)
	for _, name := range files {
		e, err := w.Create(name)
		require.NoError(t, err)
		if strings.HasSuffix(name, "/") {
			continue
		}
		_, err = io.WriteString(e, "a,b\n1,2\n")
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	_, err = f.Seek(0, io.SeekStart)
	require.NoError(t, err)
	return f
}

func TestPackedFiles(t *testing.T) {
	bz, err := base64.StdEncoding.DecodeString(bzip2Text)
	require.NoError(t, err)
	for name, r := range map[string]io.Reader{
		"zstd":             bytes.NewReader(zstdOf(t, "a,b\n1,2\n")),
		"zstd of frames":   bytes.NewReader(append(zstdOf(t, "a,b\n"), zstdOf(t, "1,2\n")...)),
		"bzip2":            iotest.OneByteReader(bytes.NewReader(bz)),
		"zip":              zipOf(t, "data/a.csv"),
		"zip of macOS":     zipOf(t, "data/", "data/a.csv", "__MACOSX/data/._a.csv", "data/.DS_Store"),
		"text like a zip":  nil,
		"text like bzip2":  nil,
		"half a signature": nil,
	} {
		want := "a,b\n1,2\n"
		if r == nil {
			want = map[string]string{"text like a zip": "PK,a\n", "text like bzip2": "BZh9,a\n1,2\n", "half a signature": "P"}[name]
			r = strings.NewReader(want)
		}
		s, err := tabular.Open(t.Context(), r, 0)
		require.NoError(t, err, name)
		got, err := io.ReadAll(s)
		require.NoError(t, err, name)
		require.Equal(t, want, string(got), name)
		s.Close()
	}
}

func TestDamagedPackedFiles(t *testing.T) {
	bz, err := base64.StdEncoding.DecodeString(bzip2Text)
	require.NoError(t, err)
	for name, whole := range map[string][]byte{"zstd": zstdOf(t, strings.Repeat("some text ", 50)), "bzip2": bz} {
		for n := 10; n < len(whole); n++ {
			err := readAll(t.Context(), bytes.NewReader(whole[:n]), 0)
			require.ErrorIs(t, err, job.ErrInvalid, "%s of %d bytes", name, n)
		}
		lost := errors.New("connection lost")
		err := readAll(t.Context(), io.MultiReader(bytes.NewReader(whole[:12]), iotest.ErrReader(lost)), 0)
		require.ErrorIs(t, err, lost, name)
		require.NotErrorIs(t, err, job.ErrInvalid, name)
		whole[len(whole)/2] ^= 0x55
		require.ErrorIs(t, readAll(t.Context(), bytes.NewReader(whole), 0), job.ErrInvalid, name)
	}
	for want, r := range map[string]io.Reader{
		"a zip of 2 files: want one file":     zipOf(t, "a.csv", "b.csv"),
		"a zip of 0 files: want one file":     zipOf(t, "a/"),
		"a zip is read from a file alone":     io.MultiReader(zipOf(t, "a.csv")),
		"whose list of files takes over":      zipOf(t, manyNames()...),
		"corrupt zip":                         bytes.NewReader([]byte("PK\x03\x04 and something else")),
		"over the limit of 4 bytes unpacked":  bytes.NewReader(zstdOf(t, "a,b\n1,2\n")),
		"a zstd with a window of over 134217": bytes.NewReader([]byte("\x28\xb5\x2f\xfd\x00\x98\x00\x00\x00\x00\x00")),
	} {
		err := readAll(t.Context(), r, 4)
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

// manyNames are names that an archive's list of files has no room for.
func manyNames() []string {
	names := make([]string, 200)
	for i := range names {
		names[i] = strings.Repeat("x", 1<<15) + string(rune('a'+i%26))
	}
	return names
}
