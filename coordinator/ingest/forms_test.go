package ingest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// forms are cells with more than one possible meaning.
var forms = []string{
	"7", "007", " 7 ", "7.0", "+7", "1e3", "1000", "1,000", "2,500,000.5", "999", "-0", "0.5", ".5", "true", "TRUE", "red", " red", "", " ", "NA", "NaN",
	"9007199254740993", "9007199254740992", "12345678901234567890", "1e-7", "$5", "9.5%", "2024-01-31", "a\nb", `"`, "é", "1\u00a0000",
}

// A model reads each cell as training did, for any cells of a column. The cell may come
// from CSV, from JSON as a string or, if it has JSON's form of a number, from JSON as a
// number.
func TestAnyCellIsReadAsInTraining(t *testing.T) {
	trained := 0
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.SampledFrom(forms), 2, 8).Draw(t, "cells")
		var file strings.Builder
		file.WriteString("a,y\n")
		for i, text := range texts {
			fmt.Fprintf(&file, "\"%s\",%d\n", strings.ReplaceAll(text, `"`, `""`), i)
		}
		spec := csvSpec()
		spec.Data.Clean.Missing.Method = "mean"
		spec.Data.Transform.Scale.Method = rapid.SampledFrom([]string{"none", "standard", "minmax"}).Draw(t, "scale")
		o, err := run(t, spec, sources{"in": []byte(file.String())})
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			return
		}
		trained++
		p, i := o.Preprocessing, 0
		err = p.ReadRows(t.Context(), strings.NewReader(file.String()), dataset.CSVInput, func(_ dataset.Place, values []dataset.Value) error {
			require.Equal(t, o.x[job.Train][i], apply(t, p, values), "%q", texts[i])
			i++
			return nil
		})
		require.NoError(t, err)
		for i, text := range texts {
			quoted, err := json.Marshal(text)
			require.NoError(t, err)
			rows := []string{string(quoted)}
			if json.Valid([]byte(text)) && text != "true" && strings.TrimSpace(text) == text {
				rows = append(rows, text)
			}
			for _, row := range rows {
				values := make([]dataset.Value, 1)
				require.NoError(t, p.RowReader().Read(jsontext.NewDecoder(strings.NewReader(row)), values))
				require.Equal(t, o.x[job.Train][i], apply(t, p, values), row)
			}
		}
	})
	require.Positive(t, trained)
}

func apply(t require.TestingT, p *dataset.Preprocessing, values []dataset.Value) []float32 {
	x := make([]float32, p.Features())
	var notes dataset.Notes
	require.NoError(t, p.Apply(x, values, &notes))
	for _, note := range notes.List() {
		require.NotContains(t, note, "knows no category")
	}
	return x
}
