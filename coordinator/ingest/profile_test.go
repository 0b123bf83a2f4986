package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/spec"
)

// text opens as every source.
type text string

func (t text) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(t))), nil
}

func TestTheProfileIsOfTheTrainingRows(t *testing.T) {
	var b strings.Builder
	b.WriteString("n,c,gap,y\n")
	for i := range 1000 {
		gap := fmt.Sprint(i % 2)
		if i%4 == 0 {
			gap = ""
		}
		fmt.Fprintf(&b, "%d,%c,%s,%d\n", i, 'a'+i%3, gap, i%2)
	}
	s, err := spec.Decode([]byte(`{"name":"m","data":{"source":"m.csv","label":"y","clean":{"missing":"mean"},"split":{"train":0.5,"test":0.5},"transform":{"scale":"standard"}},
		"model":{"layers":[{"dense":{"units":1}}]},"loss":"sigmoid_cross_entropy","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`))
	require.NoError(t, err)
	for _, memory := range []int64{0, 1} { // in memory, and in a file
		m, err := (&Ingest{Sources: text(b.String()), Store: blob.NewMemory(0), Memory: memory}).Run(t.Context(), s)
		require.NoError(t, err)
		p := m.Profile
		require.EqualValues(t, 500, p.Rows)
		encoded, err := p.Encode()
		require.NoError(t, err)
		_, err = dataset.DecodeProfile(encoded, m.Preprocessing)
		require.NoError(t, err)
		n := p.Columns[0]
		require.Equal(t, "n", n.Name)
		require.GreaterOrEqual(t, *n.Min, 0.0)
		require.LessOrEqual(t, *n.Max, 999.0)
		require.Len(t, n.Edges, 9)
		for _, k := range n.Counts {
			require.EqualValues(t, 50, k)
		}
		require.EqualValues(t, 500, p.Columns[1].Counts[0]+p.Columns[1].Counts[1]+p.Columns[1].Counts[2])
		require.Equal(t, []float64{1}, p.Columns[2].Edges)
		require.EqualValues(t, 500, p.Columns[2].Missing+p.Columns[2].Counts[0]+p.Columns[2].Counts[1])
		require.InDelta(t, 125, p.Columns[2].Missing, 30)

		manifest, err := json.Marshal(m)
		require.NoError(t, err)
		require.NotContains(t, string(manifest), "edges", "it changes no plan")
	}
	inline := &job.Spec{Loss: job.MSE, Data: job.Data{Inline: &job.Inline{X: json.RawMessage(`[1,2,3]`), Y: json.RawMessage(`[1,2,3]`)}}}
	m, err := Run(t.Context(), inline, nil, blob.NewMemory(0), nil)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 1, 1}, m.Profile.Columns[0].Counts)
}
