package tabular_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

func pack(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, content)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

func TestSourceUnpacksByItsFirstBytes(t *testing.T) {
	for _, content := range []string{"", "x", "plain text", strings.Repeat("long", 100_000)} {
		for _, data := range [][]byte{[]byte(content), pack(t, content)} {
			s, err := tabular.Open(t.Context(), iotest.HalfReader(bytes.NewReader(data)), 0)
			require.NoError(t, err)
			got, err := io.ReadAll(s)
			require.NoError(t, err)
			require.Equal(t, content, string(got))
		}
	}
}

func readAll(ctx context.Context, r io.Reader, limit int64) error {
	s, err := tabular.Open(ctx, r, limit)
	if err == nil {
		_, err = io.Copy(io.Discard, s)
	}
	return err
}

func TestTruncatedGzip(t *testing.T) {
	whole := pack(t, strings.Repeat("some text to pack ", 50))
	for n := 2; n < len(whole); n++ {
		err := readAll(t.Context(), bytes.NewReader(whole[:n]), 0)
		require.ErrorIs(t, err, job.ErrInvalid, "%d bytes", n)
		require.ErrorContains(t, err, "truncated gzip")
	}
	whole[len(whole)-8] ^= 1
	err := readAll(t.Context(), bytes.NewReader(whole), 0)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "corrupt gzip")
}

func TestSourceLimits(t *testing.T) {
	bomb := pack(t, strings.Repeat("\x00", 10<<20))
	require.Less(t, len(bomb), 20_000)
	err := readAll(t.Context(), bytes.NewReader(bomb), 1<<20)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "over the limit of 1048576 bytes unpacked")
	require.NoError(t, readAll(t.Context(), bytes.NewReader(bomb), 10<<20))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, readAll(ctx, bytes.NewReader(bomb), 0), context.Canceled)

	lost := errors.New("connection lost")
	for n := range len(bomb) {
		if n%500 > 2 {
			continue
		}
		err := readAll(t.Context(), io.MultiReader(bytes.NewReader(bomb[:n]), iotest.ErrReader(lost)), 0)
		require.ErrorIs(t, err, lost, "what fails underneath is no fault of the data")
		require.NotErrorIs(t, err, job.ErrInvalid)
	}
}

func TestCSVFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "empty file",
		"\ufeff":               "empty file",
		"a,,c\n":               "header: column 2 has no name",
		"a,b,a\n1,2,3\n":       `columns 1 and 3 are both named "a"`,
		"a,b\n1,2\n3\n":        "line 3: 1 cells, the header has 2",
		"a,b\n1,2\n3,4,5\n":    "line 3: 3 cells, the header has 2",
		"a,b\n\"x\ny\",2\n3\n": "line 4: 1 cells",
		"a,b\n1,\"2\n":         `line 2: extraneous or missing "`,
		"a,b\n1,2\"\n":         "line 2: bare \"",
		"a,\xff\n":             "column 2 is not UTF-8",
	} {
		s, err := tabular.Open(t.Context(), strings.NewReader(text), 0)
		require.NoError(t, err)
		f, err := tabular.OpenCSV(s)
		for err == nil {
			_, err = f.Next()
		}
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, want)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestCSVRecordIsBounded(t *testing.T) {
	s, err := tabular.Open(t.Context(), io.MultiReader(strings.NewReader("a,b\n1,\""), zeros{}), 0)
	require.NoError(t, err)
	f, err := tabular.OpenCSV(s)
	require.NoError(t, err)
	_, err = f.Next()
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "a record of over")
}
