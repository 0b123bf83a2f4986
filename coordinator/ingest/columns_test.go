package ingest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// columnsSpec is csvSpec with types of columns.
func columnsSpec(columns map[string]job.ColumnSpec) *job.Spec {
	s := csvSpec()
	s.Data.Columns = columns
	return s
}

// predicted returns the features that a model makes of a CSV file and, if every cell is
// in it, of the same rows as JSON.
func predicted(t *testing.T, o *outcome, csv string, rows ...string) (fromCSV, fromJSON [][]float32) {
	t.Helper()
	data, err := json.Marshal(o.Preprocessing) // as a model's card has it
	require.NoError(t, err)
	p := new(dataset.Preprocessing)
	require.NoError(t, json.Unmarshal(data, p))
	require.NoError(t, p.Validate())
	apply := func(values []dataset.Value) []float32 {
		dst := make([]float32, p.Features())
		require.NoError(t, p.Apply(dst, values, nil))
		return dst
	}
	err = p.ReadRows(t.Context(), strings.NewReader(csv), dataset.AnyInput, func(_ dataset.Place, values []dataset.Value) error {
		fromCSV = append(fromCSV, apply(values))
		return nil
	})
	require.NoError(t, err)
	for _, row := range rows {
		values := make([]dataset.Value, len(p.Columns))
		require.NoError(t, p.RowReader().Read(jsontext.NewDecoder(strings.NewReader(row)), values))
		fromJSON = append(fromJSON, apply(values))
	}
	return fromCSV, fromJSON
}

// A model reads cells for prediction as they were read for training.
func TestCellsMeanTheSameInPrediction(t *testing.T) {
	no := false
	fill := func(s *job.Spec) { s.Data.Clean.Missing = job.Missing{Method: "constant", Constant: -1} }
	date := func(as job.PartKind, format string) map[string]job.ColumnSpec {
		return map[string]job.ColumnSpec{"a": {Type: job.DateColumn, Parts: []job.DatePart{job.Weekday, job.Month}, As: as, Format: format}}
	}
	typed := func(kind job.ColumnType) map[string]job.ColumnSpec {
		return map[string]job.ColumnSpec{"a": {Type: kind}}
	}
	for name, c := range map[string]struct {
		csv     string
		columns map[string]job.ColumnSpec
		options *job.CSVOptions
		change  func(*job.Spec)
		want    [][]float32
		rows    []string // of JSON
		said    string
	}{
		"decimal commas": {"a;y\n1,5;1\n2;2\n", nil, nil, nil, [][]float32{{1.5}, {2}}, []string{`{"a":"1,5"}`, `[2]`}, "decimal comma"},
		"decimal commas and points": {
			"a;y\n1.234,5;1\n2.000;2\n", nil, &job.CSVOptions{Decimal: ",", Thousands: "."}, nil,
			[][]float32{{1234.5}, {2000}},
			[]string{`["1.234,5"]`, `["2.000"]`},
			`separated by ";"`,
		},
		"currency": {"a,y\n\"$1,234.5\",1\n-$2,2\n", nil, nil, nil, [][]float32{{1234.5}, {-2}}, []string{`["$1,234.5"]`, `["-2"]`}, `without their sign "$"`},
		"euros":    {"a;y\n1,50 €;1\n€ 2,00;2\n", typed(job.NumberColumn), &job.CSVOptions{Decimal: ","}, nil, [][]float32{{1.5}, {2}}, []string{`["1,5€"]`, `[2]`}, ""},
		"per cent": {"a,y\n12.3%,1\n5 %,2\n", nil, nil, nil, [][]float32{{0.123}, {0.05}}, []string{`["12.3%"]`, `[0.05]`}, "per cent"},
		"some signs": {
			"a,y\n$10,1\n5,2\nN/A,3\n\"1,000\",4\n", typed(job.NumberColumn), nil, fill,
			[][]float32{{10}, {5}, {-1}, {1000}},
			[]string{`["$10"]`, `[5]`, `[null]`, `["1000"]`},
			"",
		},
		"words for missing numbers": {"a,y\n1,1\nNaN,2\nnull,3\n", nil, nil, fill, [][]float32{{1}, {-1}, {-1}}, []string{`[1]`, `["nan"]`, `["None"]`}, `words like "NaN" in line 3`},
		"given words":               {"a,y\n1,1\n?,2\n", nil, &job.CSVOptions{NA: &job.NA{Words: []string{"?"}}}, fill, [][]float32{{1}, {-1}}, []string{`[1]`, `["?"]`}, ""},
		"words of pandas": {
			"a,y\nx,1\nNone,2\n", nil, &job.CSVOptions{NA: &job.NA{Pandas: true}}, fill,
			[][]float32{{0, 1}, {1, 0}},
			[]string{`["x"]`, `["N/A"]`},
			"",
		},
		"identifiers":               {"a,y\n10115,1\n80331,2\n", typed(job.CategoryColumn), nil, nil, [][]float32{{1, 0}, {0, 1}}, []string{`[10115]`, `["80331"]`}, ""},
		"an identifier as a number": {"a,y\n007,1\n8,2\n", typed(job.NumberColumn), nil, nil, [][]float32{{7}, {8}}, []string{`["007"]`, `[8]`}, ""},
		"booleans":                  {"a,y\nYes,1\nno,2\nTRUE,3\n", typed(job.BooleanColumn), nil, nil, [][]float32{{1}, {0}, {1}}, []string{`[true]`, `[false]`, `["yes"]`}, ""},
		"dates":                     {"a,y\n2024-01-31,1\n2024-02-25 13:00,2\n", date("", ""), nil, nil, [][]float32{{2, 1}, {6, 2}}, []string{`["2024-01-31"]`, `{"a":"2024-02-25T00:00:00Z"}`}, ""},
		"dates as categories": {
			"a,y\n31.01.2024,1\n25.02.2024,2\n", date(job.PartCategory, ""), nil, nil,
			[][]float32{{1, 0, 1, 0}, {0, 1, 0, 1}},
			[]string{`["31.01.2024"]`, `["25.2.2024"]`},
			"",
		},
		"dates of a format":  {"a,y\n01/02/2024,1\n03/04/2024,2\n", date("", "%d/%m/%Y"), nil, nil, [][]float32{{3, 2}, {2, 4}}, []string{`["01/02/2024"]`, `["03/04/2024"]`}, ""},
		"day or month first": {"a,y\n01/02/2024,1\n13/04/2024,2\n", date("", ""), nil, nil, [][]float32{{3, 2}, {5, 4}}, []string{`["01/02/2024"]`, `["13/04/2024"]`}, ""},
		"no header":          {"1.5,1\n2,2\n", nil, &job.CSVOptions{Header: &no}, func(s *job.Spec) { s.Data.Label = "x1" }, [][]float32{{1.5}, {2}}, []string{`{"x0":1.5}`, `[2]`}, ""},
		"trimmed":            {"a,y\nx ,1\n y,2\n", nil, &job.CSVOptions{Trim: true}, nil, [][]float32{{1, 0}, {0, 1}}, []string{`["x"]`, `[" y "]`}, ""},
		"an index":           {",a,y\n0,5,1\n1,6,2\n", nil, nil, nil, [][]float32{{5}, {6}}, []string{`[5]`, `[6]`}, "only numbers the rows"},
		"an empty column":    {"a,y,\n5,1,\n6,2,\n", nil, nil, nil, [][]float32{{5}, {6}}, []string{`[5]`, `[6]`}, "has no name and no values"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := columnsSpec(c.columns)
			spec.Data.CSV = c.options
			if c.change != nil {
				c.change(spec)
			}
			o := mustRun(t, spec, sources{"in": []byte(c.csv)})
			require.Equal(t, c.want, o.x[job.Train])
			require.Contains(t, strings.Join(o.said, "\n"), c.said)
			fromCSV, fromJSON := predicted(t, o, c.csv, c.rows...)
			require.Equal(t, c.want, fromCSV)
			require.Equal(t, c.want, fromJSON)
		})
	}
}

// A file without a header may lack the label's column.
func TestPredictionWithoutAHeader(t *testing.T) {
	no := false
	spec := csvSpec()
	spec.Data.Label, spec.Data.CSV = "x0", &job.CSVOptions{Header: &no}
	o := mustRun(t, spec, sources{"in": []byte("1,5,6\n2,7,8\n")})
	for _, text := range []string{"9,5,6\n", "5,6\n"} {
		got, _ := predicted(t, o, text)
		require.Equal(t, [][]float32{{5, 6}}, got)
	}
}

func TestLabelsInOtherForms(t *testing.T) {
	label := func(spec *job.Spec, text string) *outcome { return mustRun(t, spec, sources{"in": []byte(text)}) }
	require.Equal(t, [][]float32{{1234}, {5}}, label(csvSpec(), "a,y\n1,\"$1,234\"\n2,$5\n").y[job.Train])
	require.Equal(t, [][]float32{{1.5}, {2}}, label(csvSpec(), "a;y\n1;1,5\n2;2\n").y[job.Train])
	require.Equal(t, [][]float32{{1.5}, {2}}, label(csvSpec(), "a,y\n1,1.5\n2,2\n3,NaN\n").y[job.Train])
	classes := classSpec()
	require.Equal(t, []string{"0", "1"}, label(classes, "a,y\n1,1\n2,0.0\n3,nan\n").Classes)
	classes.Data.Columns = map[string]job.ColumnSpec{"y": {Type: job.CategoryColumn}}
	require.Equal(t, []string{"01", "1"}, label(classes, "a,y\n1,1\n2,01\n").Classes)
}

func TestColumnsThatDoNotFit(t *testing.T) {
	date := job.ColumnSpec{Type: job.DateColumn, Parts: []job.DatePart{job.Day}}
	for text, c := range map[string]struct {
		columns map[string]job.ColumnSpec
		want    string
	}{
		"a,y\n1,1\nx,2\n":                   {map[string]job.ColumnSpec{"a": {Type: job.NumberColumn}}, `line 3: column "a": "x" is not a number, as data.columns says`},
		"a,y\n$1,1\n€1,2\n":                 {map[string]job.ColumnSpec{"a": {Type: job.NumberColumn}}, `line 3: column "a": "€1" is not a number`},
		"a,y\n1,1\ninf,2\n":                 {map[string]job.ColumnSpec{"a": {Type: job.NumberColumn}}, `"inf" is not a finite number`},
		"a,y\nyes,1\nmaybe,2\n":             {map[string]job.ColumnSpec{"a": {Type: job.BooleanColumn}}, `line 3: column "a": "maybe": data.columns says boolean`},
		"a,y\n01/02/2024,1\n02/03/2024,2\n": {map[string]job.ColumnSpec{"a": date}, `column "a": its dates can be read with the day or the month first: set data.columns.a.format`},
		"a,y\n2024-01-31,1\n31.01.2024,2\n": {map[string]job.ColumnSpec{"a": date}, `line 3: column "a": "31.01.2024" is not a date written like those before it`},
		"a,y\n2024-02-30,1\n2024-01-01,2\n": {map[string]job.ColumnSpec{"a": date}, `line 2: column "a": "2024-02-30" is not a date`},
		"a,b,y\n1,2,1\n3,4,2\n":             {map[string]job.ColumnSpec{"c": {Type: job.DropColumn}}, `data.columns: no column "c" in the header ["a" "b" "y"]`},
		"a,a.day,y\n2024-01-01,2,1\n":       {map[string]job.ColumnSpec{"a": date}, `two columns of the name "a.day"`},
		"a,y\n1,1\n2,2\n":                   {map[string]job.ColumnSpec{"a": {Type: job.DropColumn}}, "no columns besides the label"},
		"a,b,y\n5,nan,1\n6,nan,2\n":         {nil, `column "b": "nan" is not a finite number`},
	} {
		_, err := run(t, columnsSpec(c.columns), sources{"in": []byte(text)})
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, c.want, text)
	}
}

// Predictions refuse what training would have refused, in words.
func TestPredictionRefusesOtherForms(t *testing.T) {
	o := mustRun(t, columnsSpec(map[string]job.ColumnSpec{
		"d": {Type: job.DateColumn, Parts: []job.DatePart{job.Day, job.Hour}}, "b": {Type: job.BooleanColumn},
	}), sources{"in": []byte("d,b,y\n2024-01-31,no,1\n2024-02-01,yes,2\n")})
	for row, want := range map[string]string{
		`["31.01.2024",true]`: `column "d.day": "31.01.2024": want the text of a date, written as 2006-1-2`,
		`[20240131,true]`:     `column "d.day": 20240131: want the text of a date`,
		`["2024-01-31",2]`:    `column "b": 2: want one of true/false`,
		`["2024-01-31",null]`: `column "b": missing`,
	} {
		p := o.Preprocessing
		values := make([]dataset.Value, len(p.Columns))
		require.NoError(t, p.RowReader().Read(jsontext.NewDecoder(strings.NewReader(row)), values), row)
		require.ErrorContains(t, p.Apply(make([]float32, p.Features()), values, nil), want)
	}
	err := o.Preprocessing.RowReader().Read(jsontext.NewDecoder(strings.NewReader(`["2024-01-31"]`)), make([]dataset.Value, 3))
	require.ErrorContains(t, err, "row of 1 values: the model takes 2")
	err = o.Preprocessing.RowReader().Read(jsontext.NewDecoder(strings.NewReader(`{"e":1}`)), make([]dataset.Value, 3))
	require.ErrorContains(t, err, `it takes ["d" "b"]`)
}

// Every part of a date is that of pandas: pandas.Timestamp("2024-12-29 23:59:58.5").
func TestPartsOfADate(t *testing.T) {
	for part, want := range map[job.DatePart]float32{
		job.Year: 2024, job.Month: 12, job.Day: 29, job.Weekday: 6, job.DayOfYear: 364,
		job.Hour: 23, job.Minute: 59, job.Second: 58, job.Timestamp: 1735516798.5,
	} {
		spec := columnsSpec(map[string]job.ColumnSpec{"a": {Type: job.DateColumn, Parts: []job.DatePart{part}}})
		o := mustRun(t, spec, sources{"in": []byte(fmt.Sprintf("a,y\n%s,1\n%s,2\n", "2024-12-29 23:59:58.5", "2023-01-01"))})
		require.Equal(t, want, o.x[job.Train][0][0], part)
	}
}

// A row's weight is a column of its own in every format.
func TestWeightsOfJSONLines(t *testing.T) {
	spec := jsonlSpec()
	spec.Data.Weight = "w"
	lines := mustRun(t, spec, sources{"in": []byte(`{"a":1,"w":2,"y":1}{"a":2,"w":0.5,"y":2}`)})
	spec = csvSpec()
	spec.Data.Weight = "w"
	require.Equal(t, mustRun(t, spec, sources{"in": []byte("a,w,y\n1,2,1\n2,0.5,2\n")}).digest(t), lines.digest(t))
	_, err := run(t, spec, sources{"in": []byte("a,w,y\n1,2,1\n2,x,2\n")})
	require.ErrorContains(t, err, `line 3: weight "w": "x": want a number from 0`)
}

// Parts of a date as categories can be embedded.
func TestPartsOfADateAreEmbedded(t *testing.T) {
	spec := columnsSpec(map[string]job.ColumnSpec{"a": {Type: job.DateColumn, Parts: []job.DatePart{job.Month, job.Hour}, As: job.PartCategory}})
	spec.Data.Transform.Categorical = job.Encoding{Method: "embed", Embed: 2}
	store := blob.NewMemory(0)
	m, err := Run(t.Context(), spec, sources{"in": []byte("a,y\n2024-01-31 10:00,1\n2024-02-01 11:00,2\n")}, store, nil)
	require.NoError(t, err)
	require.NoError(t, m.Validate())
	require.Equal(t, []string{"1", "2"}, m.Preprocessing.Columns[0].Categories)
}
