package ingest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// Embedded columns become the numbers of their categories, in blocks and in predictions.
func TestEmbeddedColumns(t *testing.T) {
	spec := csvSpec()
	spec.Data.Transform.Categorical = job.Encoding{Method: "embed", Embed: 4}
	spec.Data.Clean.Missing = job.Missing{Method: "constant", Constant: 0}
	spec.Data.Test = "test"
	o := mustRun(t, spec, sources{
		"in":   []byte("c,n,d,y\nred,1,x,1\nblue,2,y,2\nred,3,,3\n"),
		"test": []byte("c,n,d,y\nblue,5,y,1\ngreen,6,x,2\n"),
	})
	require.Equal(t, [][]float32{{1, 1, 3}, {2, 0, 4}, {3, 1, 2}}, o.x[job.Train])
	require.Equal(t, [][]float32{{5, 0, 4}, {6, -1, 3}}, o.x[job.Test])
	require.Equal(t, 3, o.Features)
	require.Contains(t, o.said, `test: column "c": 1 of 2 rows have a category that no training row has: it is encoded as no category`)
	require.Equal(t, map[string]int{key([]float32{7, 1, 4}): 1, key([]float32{8, -1, 2}): 1}, applied(t, o, "d,c,n\ny,red,7\n,pink,8\n"))
}
