package tabular_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strconv"
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
		f, err := tabular.OpenCSV(s, nil, "")
		for err == nil {
			_, err = f.Next()
		}
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, want)
	}
}

// zeros is a reader of zeros without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestCSVRecordIsBounded(t *testing.T) {
	s, err := tabular.Open(t.Context(), io.MultiReader(strings.NewReader("a,b\n1,\""), zeros{}), 0)
	require.NoError(t, err)
	f, err := tabular.OpenCSV(s, nil, "")
	require.NoError(t, err)
	_, err = f.Next()
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "a record of over")
}

// cancelling cancels a context after a number of reads.
type cancelling struct {
	io.Reader
	left   int
	cancel context.CancelFunc
}

func (c *cancelling) Read(p []byte) (int, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.Reader.Read(p)
}

// forever is a reader that repeats a text without an end.
type forever struct{ text, left []byte }

func (f *forever) Read(p []byte) (int, error) {
	if len(f.left) == 0 {
		f.left = f.text
	}
	n := copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}

// A gzip of empty members yields nothing, however much of it is read. Reading it still ends
// with its context. The same is true for a header that never ends.
func TestReadingThatGivesNothingOutIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := readAll(ctx, &cancelling{&forever{text: pack(t, "")}, 1000, cancel}, 0)
	require.ErrorIs(t, err, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	s, err := tabular.Open(ctx, &cancelling{&forever{text: []byte("\n")}, 1000, cancel}, 0)
	require.NoError(t, err)
	_, err = tabular.OpenCSV(s, nil, "")
	require.ErrorIs(t, err, context.Canceled)
}

// Only text outside of quotes separates cells and records.
func TestCellsOfARecordAreBounded(t *testing.T) {
	open := func(text string) error {
		s, err := tabular.Open(t.Context(), strings.NewReader(text), 0)
		require.NoError(t, err)
		f, err := tabular.OpenCSV(s, nil, "")
		for err == nil {
			_, err = f.Next()
		}
		return err
	}
	many := strings.Repeat(",", tabular.MaxColumns+4096)
	require.ErrorIs(t, open("a,b\n\""+many+"\n\",1\n"), io.EOF)
	require.ErrorIs(t, open("a,b\n\"x\"\"\n"+many+"\",1\n"), io.EOF)
	require.ErrorIs(t, open("a,b\n"+strings.Repeat("1,2\n", tabular.MaxColumns)), io.EOF)
	for _, text := range []string{many, "a,b\n" + many, "a,b\n\"x\"" + many, "a,b\n\"x\ny\"" + many} {
		err := open(text)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, "a record of over 1048576 cells")
	}
	var wide strings.Builder
	for i := range tabular.MaxColumns + 1 {
		wide.WriteString(strconv.Itoa(i) + ",")
	}
	require.ErrorIs(t, open(strings.TrimSuffix(wide.String(), ","+strconv.Itoa(tabular.MaxColumns)+",")), io.EOF)
	require.ErrorContains(t, open(strings.TrimSuffix(wide.String(), ",")), "1048576")
}

// A gzip member may be followed by another member, by zero bytes, or by bytes that do not
// belong there. gzip(1) and Python read the first two.
func TestWhatFollowsAGzip(t *testing.T) {
	one, two := pack(t, "a,b\n"), pack(t, "1,2\n")
	zeros := make([]byte, 3000)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, data := range map[string][]byte{
		"two members":          join(one, two),
		"zeros at the end":     join(one, two, zeros),
		"one zero":             join(one, two, zeros[:1]),
		"zeros in between":     join(one, zeros, two),
		"an empty member":      join(one, pack(t, ""), two, pack(t, "")),
		"zeros on all of them": join(one, zeros, pack(t, ""), zeros, two, zeros),
	} {
		s, err := tabular.Open(t.Context(), iotest.OneByteReader(bytes.NewReader(data)), 0)
		require.NoError(t, err, name)
		got, err := io.ReadAll(s)
		require.NoError(t, err, name)
		require.Equal(t, "a,b\n1,2\n", string(got), name)
	}
	for name, data := range map[string][]byte{
		"text":                   join(one, []byte("hello")),
		"much text":              join(one, bytes.Repeat([]byte("hello"), 100)),
		"zeros, then text":       join(one, zeros, []byte("hello")),
		"zeros, then half magic": join(one, zeros, []byte{0x1f}),
		"half another magic":     join(one, []byte{0x1f, 0x9d, 1}),
	} {
		err := readAll(t.Context(), bytes.NewReader(data), 0)
		require.ErrorIs(t, err, job.ErrInvalid, name)
		require.ErrorContains(t, err, "trailing data after the gzip", name)
	}
	for n := 1; n < len(two); n++ { // a member that is cut off is no trailing data
		err := readAll(t.Context(), bytes.NewReader(join(one, two[:n])), 0)
		require.ErrorIs(t, err, job.ErrInvalid, "%d bytes", n)
		require.ErrorContains(t, err, "truncated gzip", "%d bytes", n)
	}
}

// Padding without an end stops with its context, like an endless gzip.
func TestEndlessPaddingIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := readAll(ctx, &cancelling{io.MultiReader(bytes.NewReader(pack(t, "a")), zeros{}), 1000, cancel}, 0)
	require.ErrorIs(t, err, context.Canceled)
}
