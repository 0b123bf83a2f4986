package registry

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// sized are files with a stated size, and content that is made when it is read.
type sized map[string]struct {
	size int64
	r    io.Reader
}

func (s sized) files(name string, read func(io.Reader, int64) error) error {
	return read(s[name].r, s[name].size)
}

// unread is a reader that fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("it is read")
	return 0, io.EOF
}

func TestReadKnowsSizesBeforeItReads(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1.5, -2.25, 0.125)
	good, err := Encode(m)
	require.NoError(t, err)
	card := good[CardFile]
	for name, c := range map[string]struct {
		card, weights int64
		class         error
		want          string
	}{
		"card":        {card: maxCard + 1, class: job.ErrInvalid, want: "at most 67108864 are read"},
		"weights":     {weights: 1_500_000_000, class: job.ErrCorrupt, want: "1500000000 bytes are too many for 3 parameters"},
		"few weights": {weights: 19, class: job.ErrCorrupt, want: "19 bytes are too few for 3 parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sized{CardFile: {int64(len(card)), bytes.NewReader(card)}, WeightsFile: {c.weights, unread{t}}}
			if c.card > 0 {
				s[CardFile] = s[WeightsFile]
				f := s[CardFile]
				f.size = c.card
				s[CardFile] = f
			}
			_, err := Read(s.files, nil)
			require.ErrorIs(t, err, c.class)
			require.ErrorContains(t, err, c.want)
		})
	}
	full := errors.New("no room")
	var asked int64
	s := sized{CardFile: {int64(len(card)), bytes.NewReader(card)}, WeightsFile: {1, unread{t}}}
	_, err = Read(s.files, func(n int64) error { asked = n; return full })
	require.ErrorIs(t, err, full)
	require.Greater(t, asked, int64(12))
}

// Three characters of a card can stand for a hundred bytes of a struct.
func TestReadRefusesACardThatGrows(t *testing.T) {
	card := []byte(`{"version":1,"preprocessing":{"columns":[{}` + strings.Repeat(",{}", 4_000_000) + `]}}`)
	s := sized{CardFile: {int64(len(card)), bytes.NewReader(card)}}
	var err error
	got := allocated(func() { _, err = Read(s.files, nil) })
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "bytes when it is decoded: want at most")
	require.Less(t, got, uint64(2*len(card)))
}

func TestDecodedBytesIsABound(t *testing.T) {
	for name, unit := range map[string]string{
		"columns": `{"preprocessing":{"columns":[{}` + strings.Repeat(",{}", 100_000) + `]}}`,
		"classes": `{"classes":[""` + strings.Repeat(`,"x"`, 100_000) + `]}`,
		"layers":  `{"spec":{"model":{"layers":[{}` + strings.Repeat(`,{"dense":{}}`, 100_000) + `]}}}`,
	} {
		n, err := decodedBytes([]byte(unit))
		require.NoError(t, err)
		text := strings.Replace(unit, "{", `{"version":1,"id":"x",`, 1)
		got := allocated(func() { _, err = decodeCard([]byte(text)) })
		require.NoError(t, err, name)
		require.Less(t, got, uint64(6*n), "%s: with all that a slice leaves behind as it grows", name)
	}
}

// Beside the parameters, reading takes no memory that depends on their number.
func TestReadStreamsTheParameters(t *testing.T) {
	const outputs = 1 << 20
	params := make([]float32, 2*outputs)
	m := linear(t, job.MSE, nil, column("y"), 1, params...)
	files, err := Encode(m)
	require.NoError(t, err)
	var got *Model
	n := allocated(func() { got, err = Decode(files) })
	require.NoError(t, err)
	require.Equal(t, m.Weights.Trained, got.Weights.Trained)
	require.GreaterOrEqual(t, got.Bytes(), int64(4*len(params)))
	require.Less(t, n, uint64(got.Bytes())+2<<20)
}

// If reading a file is interrupted, it is repeated from the beginning of the file.
func TestReadAgain(t *testing.T) {
	good, err := Encode(linear(t, job.MSE, nil, column("y"), 2, 1.5, -2.25, 0.125))
	require.NoError(t, err)
	m, err := Read(func(name string, read func(io.Reader, int64) error) error {
		data := good[name]
		broken := io.MultiReader(bytes.NewReader(data[:len(data)-1]), readerFunc(func([]byte) (int, error) { return 0, errors.New("cut off") }))
		require.ErrorContains(t, read(broken, int64(len(data))), "cut off")
		return read(bytes.NewReader(data), int64(len(data)))
	}, nil)
	require.NoError(t, err)
	require.Equal(t, []float32{1.5, -2.25, 0.125}, m.Weights.Trained)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestClassesAreBounded(t *testing.T) {
	label := dataset.Column{Name: "kind", Kind: dataset.Categorical}
	m := linear(t, job.SoftmaxCrossEntropy, []string{"cat", "dog"}, label, 1, 1, -1, 0, 0)
	m.Card.Classes = []string{"cat", strings.Repeat("x", dataset.MaxCategoryBytes+1)}
	files, err := Encode(m)
	require.NoError(t, err)
	_, err = Decode(files)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "classes[1] has 1025 bytes: want at most 1024")
}
