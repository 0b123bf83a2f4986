package ingest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

func jsonlSpec() *job.Spec {
	s := csvSpec()
	s.Data.Format = job.JSONL
	return s
}

// JSON lines give the features of the CSV file with the same cells, and the model predicts
// on them as on that file.
func TestJSONLinesAreTheTableOfACSV(t *testing.T) {
	lines := "\xef\xbb\xbf" + `{"y":1,"a":1.5,"b":"red","c":true,"d":"007","e":null}` + "\n\n" +
		`{"a":"2","y":2,"b":"blue","c":false,"d":"7","e":3}` + "\n" + `{"y":3,"b":"red","c":true,"d":"8","e":1e2}`
	csv := "y,a,b,c,d,e\n1,1.5,red,true,007,\n2,2,blue,false,7,3\n3,,red,true,8,1e2\n"
	fill := job.Missing{Method: "mean"}
	a, b := jsonlSpec(), csvSpec()
	a.Data.Clean.Missing, b.Data.Clean.Missing = fill, fill
	from := mustRun(t, a, sources{"in": []byte(lines)})
	like := mustRun(t, b, sources{"in": []byte(csv)})
	require.Equal(t, like.digest(t), from.digest(t))
	require.Equal(t, dataset.Categorical, from.Preprocessing.Columns[3].Kind, "an identifier")
	predictedCSV, _ := predicted(t, from, csv)
	predictedLines, _ := predicted(t, from, strings.ReplaceAll(lines, "\xef\xbb\xbf", ""))
	require.Equal(t, from.x[job.Train], predictedCSV)
	require.Equal(t, predictedCSV, predictedLines)
}

func TestBadJSONLines(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "no rows after the header",
		"[1,2]":                                  `row 1 begins with "[": want an object like {"column": value} in each line`,
		`{"a":1,"y":1} 5`:                        `row 2 begins with "0": want an object`,
		`{"a":1,"y":1}{"a":`:                     "row 2: ",
		`{"a":1,"a":2,"y":1}`:                    "row 1: ",
		`{"a":1,"y":1}` + "\n" + `{"a":x,"y":1}`: "row 2: ",
		`{"a":[1],"y":1}{"a":[2],"y":2}`:         `column "a": its cells are lists, objects or of a type that is not supported: want single values: leave it out with data.drop`,
		`{"a":1,"y":[1]}{"a":2,"y":[2]}`:         `label "y": its cells are lists or objects`,
		`{"":1,"y":1}`:                           `row 1: key "" of 0 bytes`,
		`{"a":1,"z":1}`:                          `no column "y" in the header ["a" "z"]`,
		`{"a":"` + strings.Repeat("x", 40<<20):   "a row of over 33554432 bytes",
	} {
		_, err := run(t, jsonlSpec(), sources{"in": []byte(text)})
		require.ErrorIs(t, err, job.ErrInvalid, "%.40s", text)
		require.ErrorContains(t, err, want, "%.40s", text)
	}
	spec := jsonlSpec()
	spec.Data.Drop = []string{"b"}
	require.Equal(t, [][]float32{{1}, {2}}, mustRun(t, spec, sources{"in": []byte(`{"a":1,"y":1}{"a":2,"y":2,"b":{"c":1}}`)}).x[job.Train])
	spec.Data.Test = "test"
	_, err := run(t, spec, sources{"in": []byte(`{"a":1,"y":1,"b":1}{"a":2,"y":2}`), "test": []byte(`{"y":1}`)})
	require.ErrorContains(t, err, `no column "a", which the training source has`)
}
