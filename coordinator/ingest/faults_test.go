package ingest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/job"
)

// If any operation of the blob store fails, before or after its effect, the ingest
// reports it. The next ingest makes the same dataset.
func TestIngestFailsAtEveryOperation(t *testing.T) {
	var text bytes.Buffer
	text.WriteString("a,b,y\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "%d,%d,%d\n", i, i%7, i%3)
	}
	spec := csvSpec()
	spec.Data.Split = job.SplitSpec{Train: 0.8, Test: 0.2}
	from := sources{"in": text.Bytes()}
	counting := &blobtest.Faulty{Store: blob.NewMemory(0)}
	want, err := Run(t.Context(), spec, from, counting, func(string) {})
	require.NoError(t, err)
	require.Positive(t, counting.Calls())
	for k := range counting.Calls() {
		for _, after := range []bool{false, true} {
			store := blob.NewMemory(0)
			_, err := Run(t.Context(), spec, from, &blobtest.Faulty{Store: store, At: k + 1, After: after, Err: job.ErrFull}, func(string) {})
			require.ErrorIs(t, err, job.ErrFull)
			got, err := Run(t.Context(), spec, from, store, func(string) {})
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}
