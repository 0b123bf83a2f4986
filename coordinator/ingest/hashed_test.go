package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// A hashed column takes more texts than a list could have. Training and prediction give a
// text the same bucket, also one that training has not seen.
func TestHashedCategories(t *testing.T) {
	var file strings.Builder
	file.WriteString("zip,a,y\n")
	const rows = dataset.MaxCategories + 500
	for i := range rows {
		fmt.Fprintf(&file, "z%d,%d,%d\n", i, i%3, i)
	}
	file.WriteString(",1,1\n")
	spec := csvSpec()
	spec.Data.Clean = job.Clean{Missing: job.Missing{Method: "mean"}, Duplicates: job.DropDuplicates}
	_, err := run(t, spec, sources{"in": []byte(file.String())})
	require.ErrorContains(t, err, "over 10000 different texts: leave it out with data.drop, hash it (data.columns: {type: category, hash: n})")
	spec.Data.Columns = map[string]job.ColumnSpec{"zip": {Type: job.CategoryColumn, Hash: 16}}
	for _, embed := range []int{0, 3} {
		spec.Data.Transform.Categorical.Embed = embed
		o := mustRun(t, spec, sources{"in": []byte(file.String())})
		require.Len(t, o.x[job.Train], rows+1, "rows of one bucket are no duplicates")
		require.Equal(t, 16, o.Preprocessing.Columns[0].Hash)
		require.Empty(t, o.Preprocessing.Columns[0].Categories)
		fromCSV, fromJSON := predicted(t, o, file.String(), `["z0",0]`, `{"zip":"new","a":2}`)
		require.Equal(t, o.x[job.Train], fromCSV)
		require.Equal(t, o.x[job.Train][0], fromJSON[0])
		bucket := dataset.Bucket(dataset.HashText("zip", "new"), 16)
		if embed > 0 {
			require.Equal(t, []float32{2, float32(bucket)}, fromJSON[1])
		} else {
			require.Equal(t, float32(1), fromJSON[1][bucket])
			require.Equal(t, float32(2), fromJSON[1][16])
		}
		sum := int64(0)
		for _, n := range o.Profile.Columns[0].Counts {
			sum += n
		}
		require.EqualValues(t, rows, sum)
		require.EqualValues(t, 1, o.Profile.Columns[0].Missing)
		encoded, err := o.Profile.Encode()
		require.NoError(t, err)
		_, err = dataset.DecodeProfile(encoded, o.Preprocessing)
		require.NoError(t, err)
	}
	_, err = run(t, spec, sources{"in": []byte("zip,a,y\n\xff,1,1\n")})
	require.ErrorContains(t, err, `column "zip": text "\xff" is not UTF-8`)
}
