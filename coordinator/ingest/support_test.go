package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/place"
	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// sources is a set of files in memory.
type sources map[string][]byte

func (s sources) Open(_ context.Context, source string) (io.ReadCloser, error) {
	data, ok := s[source]
	if !ok {
		return nil, fmt.Errorf("no such file: %w", job.ErrInvalid)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// local reads the repository's own data.
var local = &Roots{Anywhere: true, Outside: place.Outside{}}

const data = "../../deployments/data/"

// csvSpec is a regression on column y of source "in".
func csvSpec() *job.Spec {
	return &job.Spec{Loss: job.MSE, Seed: 1, Data: job.Data{Source: "in", Format: job.CSV, Label: job.Columns{"y"}}}
}

// outcome is an ingested dataset, read back.
type outcome struct {
	*dataset.Manifest
	x, y map[job.Split][][]float32
	said []string
}

func run(t require.TestingT, spec *job.Spec, from Opener) (*outcome, error) {
	store := blob.NewMemory(0)
	o := &outcome{x: map[job.Split][][]float32{}, y: map[job.Split][][]float32{}}
	m, err := Run(context.Background(), spec, from, store, func(s string) { o.said = append(o.said, s) })
	if err != nil {
		return o, err
	}
	require.NoError(t, m.Validate())
	o.Manifest = m
	for s, refs := range m.Splits {
		for _, ref := range refs {
			data, err := store.Get(context.Background(), ref.Digest)
			require.NoError(t, err)
			require.Len(t, data, ref.Bytes)
			b, err := dataset.DecodeBlock(data)
			require.NoError(t, err)
			require.Equal(t, [3]int{ref.Rows, m.Features, m.Targets}, [3]int{b.Rows, b.Features, b.Targets})
			for i := range b.Rows {
				o.x[s] = append(o.x[s], b.X[i*b.Features:(i+1)*b.Features])
				o.y[s] = append(o.y[s], b.Y[i*b.Targets:(i+1)*b.Targets])
			}
		}
	}
	return o, nil
}

func mustRun(t require.TestingT, spec *job.Spec, from Opener) *outcome {
	o, err := run(t, spec, from)
	require.NoError(t, err)
	return o
}

// column returns one feature of every row of a split.
func (o *outcome) column(s job.Split, j int) []float64 {
	out := make([]float64, len(o.x[s]))
	for i, x := range o.x[s] {
		out[i] = float64(x[j])
	}
	return out
}

func (o *outcome) digest(t require.TestingT) job.Digest {
	data, err := json.Marshal(o.Manifest)
	require.NoError(t, err)
	return blob.DigestOf(data)
}

func pack(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(content)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// idxBytes makes an IDX file of unsigned bytes.
func idxBytes(values []byte, dims ...int) []byte {
	return append(idxHeader(idxByte, dims...), values...)
}

func idxFloats(values []float32, dims ...int) []byte {
	out := idxHeader(idxFloat, dims...)
	for _, x := range values {
		out = binary.BigEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

func idxHeader(kind byte, dims ...int) []byte {
	out := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, uint32(d))
	}
	return out
}

func meanOf(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func stdOf(x []float64) float64 {
	mean, sum := meanOf(x), 0.0
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(x)))
}

// discard is a store that only computes digests.
type discard struct{ blob.Store }

func (discard) Put(_ context.Context, data []byte) (job.Digest, error) {
	return blob.DigestOf(data), nil
}
