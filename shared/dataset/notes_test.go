package dataset_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
)

// told returns a preprocessing with a column of each kind that can meet unknown values.
func told() *dataset.Preprocessing {
	return &dataset.Preprocessing{Columns: []dataset.Column{
		{Name: "n", Kind: dataset.Numeric, Scale: 1, Fill: new(3.5), Thousands: true},
		{Name: "c", Kind: dataset.Numeric, Shift: 0.1, Scale: 1},
		{Name: "id", Kind: dataset.Categorical, Scale: 1, FillCategory: new("007"), Categories: []string{"007", "1", "1234567890123456789", "True", "nan"}},
	}}
}

// answer applies JSON rows, and the same rows as the CSV that follows them.
func answer(t *testing.T, p *dataset.Preprocessing, rows ...string) (features [][]float32, notes []string) {
	t.Helper()
	n := dataset.Notes{}
	for i, text := range rows {
		values := make([]dataset.Value, len(p.Columns))
		require.NoError(t, p.RowReader().Read(jsontext.NewDecoder(strings.NewReader(text)), values), text)
		dst := make([]float32, p.Features())
		n.At = dataset.Place{Unit: "row", Number: i}
		require.NoError(t, p.Apply(dst, values, &n), text)
		features = append(features, dst)
	}
	return features, n.List()
}

// A cell has the same value in every file format, and the notes name what the column does
// not know.
func TestACellMeansTheSameInEveryForm(t *testing.T) {
	for want, rows := range map[[7]float32][]string{
		{1000, 0, 1, 0, 0, 0, 0}: {`[1000, 0.1, "007"]`, `["1,000", "0.1", "007"]`, `["1000.0", 1e-1, null]`, `[" 1,000 ", 0.1, "NA"]`},
		{0, 0, 0, 1, 0, 0, 0}:    {`[0, 0.1, "1"]`, `["-0", 0.1, 1]`, `["0", " .1", 1.0]`, `[0, 0.1, 1e0]`},
		{0, 0, 0, 0, 1, 0, 0}:    {`[0, 0.1, 1234567890123456789]`, `[0, 0.1, "1234567890123456789"]`},
		{0, 0, 0, 0, 0, 1, 0}:    {`[0, 0.1, true]`, `[0, 0.1, "True"]`},
		{0, 0, 0, 0, 0, 0, 1}:    {`[0, 0.1, "nan"]`},
		{0, 0, 0, 0, 0, 0, 0}:    {`[0, 0.1, "7"]`, `[0, 0.1, 7]`, `[0, 0.1, 1234567890123456788]`, `[0, 0.1, false]`, `[0, 0.1, "true"]`, `[0, 0.1, " 1"]`, `[0, 0.1, 1e999]`},
	} {
		features, _ := answer(t, told(), rows...)
		for i, got := range features {
			require.Equal(t, want[:], got, rows[i])
		}
	}
}

func TestNotesSayWhatWasUnknown(t *testing.T) {
	_, notes := answer(t, told(), `[1, 0.1, "007"]`, `["1,000", 0.1, true]`)
	require.Empty(t, notes)
	_, notes = answer(t, told(), `[1, 0.1, 7]`, `[null, 0.2, "Oslo"]`, `["", "0.3", null]`)
	require.Equal(t, []string{
		`column "id": the model knows no category 7 (in 2 rows, first in row 0): it was taken as none`,
		`column "n": missing (in 2 rows, first in row 1): filled with 3.5, as in training`,
		`column "id": missing (in row 2): filled with "007", as in training`,
	}, notes)
}

// Rows from outside cannot make the notes long.
func TestNotesOfAnswersAreBounded(t *testing.T) {
	p := &dataset.Preprocessing{}
	for i := range 1000 {
		p.Columns = append(p.Columns, dataset.Column{Name: fmt.Sprint(i, strings.Repeat("n", 900)), Kind: dataset.Categorical, Scale: 1, Categories: []string{"x"}})
	}
	row := `["` + strings.Repeat(strings.Repeat("é", 4000)+`","`, 999) + `y"]`
	_, notes := answer(t, p, row, row)
	require.Len(t, notes, dataset.MaxNotes+1)
	require.Equal(t, "1980 more values of other columns that the training rows did not have", notes[dataset.MaxNotes])
	require.Less(t, len(strings.Join(notes, "")), 10_000)
}
