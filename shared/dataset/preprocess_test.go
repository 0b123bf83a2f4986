package dataset_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// sample has a column of each kind. A missing b is filled; a missing a or c is an error.
func sample() *dataset.Preprocessing {
	return &dataset.Preprocessing{
		Columns: []dataset.Column{
			{Name: "a", Kind: dataset.Numeric, Shift: 10, Scale: 2},
			{Name: "b", Kind: dataset.Numeric, Scale: 1, Fill: new(3.0)},
			{Name: "c", Kind: dataset.Categorical, Scale: 1, Categories: []string{"2", "green", "red"}},
			{Name: "d", Kind: dataset.Categorical, Scale: 1, Categories: []string{"x"}, FillCategory: new("x")},
		},
		Label: dataset.Column{Name: "price", Kind: dataset.Numeric, Shift: 100, Scale: 50},
	}
}

func TestApply(t *testing.T) {
	p := sample()
	require.Equal(t, 6, p.Features())
	num, text, cell := dataset.Number, dataset.Text, dataset.Text
	for name, c := range map[string]struct {
		row  []dataset.Value
		want []float32
	}{
		"numbers and text":   {[]dataset.Value{num(14), num(1), text("red"), text("x")}, []float32{2, 1, 0, 0, 1, 1}},
		"cells":              {[]dataset.Value{cell(" 14"), cell("1e0"), cell("red"), cell("x")}, []float32{2, 1, 0, 0, 1, 1}},
		"filled":             {[]dataset.Value{num(9), {}, text("green"), {}}, []float32{-0.5, 3, 0, 1, 0, 1}},
		"blank is missing":   {[]dataset.Value{num(10), cell("NA"), text("green"), text("")}, []float32{0, 3, 0, 1, 0, 1}},
		"unseen is zeros":    {[]dataset.Value{num(10), num(0), text("blue"), text("y")}, []float32{0, 0, 0, 0, 0, 0}},
		"a number as a text": {[]dataset.Value{num(10), num(0), num(2.0), text("x")}, []float32{0, 0, 1, 0, 0, 1}},
	} {
		dst := []float32{9, 9, 9, 9, 9, 9}
		require.NoError(t, p.Apply(dst, c.row, nil), name)
		require.Equal(t, c.want, dst, name)
	}
}

func TestApplyRefuses(t *testing.T) {
	p := sample()
	ok := []dataset.Value{dataset.Number(1), dataset.Number(1), dataset.Text("red"), dataset.Text("x")}
	for want, change := range map[string]func(row []dataset.Value) []dataset.Value{
		`column "a": missing: want a number`:                            func(r []dataset.Value) []dataset.Value { r[0] = dataset.Value{}; return r },
		`column "a": text "ten" in a numeric column`:                    func(r []dataset.Value) []dataset.Value { r[0] = dataset.Text("ten"); return r },
		`column "b": true in a numeric column`:                          func(r []dataset.Value) []dataset.Value { r[1] = dataset.Boolean(true); return r },
		`column "b": text "5x" in a numeric column`:                     func(r []dataset.Value) []dataset.Value { r[1] = dataset.Text("5x"); return r },
		`column "b": "nan": want a finite number`:                       func(r []dataset.Value) []dataset.Value { r[1] = dataset.Text("nan"); return r },
		`column "a": NaN: want a finite number`:                         func(r []dataset.Value) []dataset.Value { r[0] = dataset.Number(math.NaN()); return r },
		`column "a": +Inf: want a finite number`:                        func(r []dataset.Value) []dataset.Value { r[0] = dataset.Number(math.Inf(1)); return r },
		`column "a": 1e+300: want a finite number that is still finite`: func(r []dataset.Value) []dataset.Value { r[0] = dataset.Number(1e300); return r },
		`column "c": missing: want text`:                                func(r []dataset.Value) []dataset.Value { r[2] = dataset.Text("NA"); return r },
		`column "c": NaN: want text or a finite number`:                 func(r []dataset.Value) []dataset.Value { r[2] = dataset.Number(math.NaN()); return r },
		`row of 3 values: the model takes 4`:                            func(r []dataset.Value) []dataset.Value { return r[:3] },
	} {
		err := p.Apply(make([]float32, 6), change(append([]dataset.Value(nil), ok...)), nil)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	require.ErrorIs(t, p.Apply(make([]float32, 5), ok, nil), job.ErrInvalid)
}

// A label may have several columns of numbers. Rows may have them, and the weight.
func TestSeveralLabels(t *testing.T) {
	p := sample()
	p.Labels = []dataset.Column{{Name: "tax", Kind: dataset.Numeric, Shift: 1, Scale: 2}}
	p.Others = []string{"w"}
	require.NoError(t, p.Validate())
	require.Equal(t, "price", p.LabelOf(0).Name)
	require.Equal(t, "tax", p.LabelOf(1).Name)
	require.Equal(t, "price", p.LabelOf(2).Name)
	var rows [][]dataset.Value
	read := func(text string) error {
		return p.ReadRows(t.Context(), strings.NewReader(text), dataset.JSONInput, func(_ dataset.Place, v []dataset.Value) error {
			rows = append(rows, slices.Clone(v))
			return nil
		})
	}
	require.NoError(t, read(`[{"a": 1, "b": 2, "c": "red", "d": "x", "tax": 7, "w": 0.5, "price": 3}]`))
	require.Len(t, rows, 1)
	require.ErrorContains(t, read(`[{"a": 1, "b": 2, "c": "red", "d": "x", "weight": 0.5}]`), `column "weight": the model has no such column`)

	for want, change := range map[string]func(){
		"labels[0]: kind \"categorical\"": func() { p.Labels[0].Kind = dataset.Categorical },
		"labels[0]: ":                     func() { p.Labels[0].Scale = 0 },
		"1025 others":                     func() { p.Others = make([]string, 1025) },
	} {
		p = sample()
		p.Labels = []dataset.Column{{Name: "tax", Kind: dataset.Numeric, Scale: 1}}
		change()
		require.ErrorIs(t, p.Validate(), job.ErrInvalid)
		require.ErrorContains(t, p.Validate(), want)
	}
}

func TestUnscale(t *testing.T) {
	p := sample()
	y, err := p.Label.Scaled(225)
	require.NoError(t, err)
	require.InDelta(t, 2.5, y, 0)
	require.InDelta(t, 225, p.Label.Unscale(y), 0)
}

func parse(t *testing.T, p *dataset.Preprocessing, text string) ([]float32, error) {
	t.Helper()
	values := make([]dataset.Value, len(p.Columns))
	if err := p.RowReader().Read(jsontext.NewDecoder(strings.NewReader(text)), values); err != nil {
		return nil, err
	}
	dst := make([]float32, p.Features())
	return dst, p.Apply(dst, values, nil)
}

func TestRowReader(t *testing.T) {
	p := sample()
	want := []float32{2, 3, 0, 0, 1, 1}
	for _, text := range []string{
		`[14, null, "red", "x"]`, `["14", "NA", "red", " "]`, `[" 1.4e1 ", "", "red", null]`, `{"a": 14, "c": "red", "d": "x"}`, `{"d": null, "c": "red", "b": null, "a": 14, "price": 7}`,
	} {
		got, err := parse(t, p, text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		`[14, null, "red"]`:         "row of 3 values: the model takes 4",
		`[[14], null, "red", "x"]`:  `column "a": an array: want a number, a string or null`,
		`[true, null, "red", "x"]`:  `column "a": a boolean`,
		`{"a": {}, "c": "red"}`:     `column "a": an object`,
		`{"c": "red"}`:              `column "a": missing`,
		`{"a": 1, "c": "", "x": 5}`: `column "x": the model has no such column; it takes ["a" "b" "c" "d"]`,
		`14`:                        "row is a number: want an array of 4 values or an object",
		`null`:                      "row is null",
		`["1,4", null, "red", "x"]`: `column "a": text "1,4" in a numeric column`,
		`{"a": 14, "c": ["red"]}`:   `column "c": an array`,
	} {
		_, err := parse(t, p, text)
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, want)
	}
	_, err := parse(t, p, `[1e999, null, "red", "x"]`)
	require.ErrorContains(t, err, "out of range")

	one := &dataset.Preprocessing{Columns: []dataset.Column{{Name: "x0", Kind: dataset.Numeric, Scale: 1}}}
	for _, text := range []string{"6", "[6]", `{"x0": 6}`} {
		got, err := parse(t, one, text)
		require.NoError(t, err, text)
		require.Equal(t, []float32{6}, got)
	}
}

func TestReadCSV(t *testing.T) {
	p := sample()
	read := func(content []byte) (rows [][]float32, lines []int, err error) {
		err = p.ReadRows(t.Context(), bytes.NewReader(content), dataset.CSVInput, func(at dataset.Place, values []dataset.Value) error {
			dst := make([]float32, p.Features())
			rows, lines = append(rows, dst), append(lines, at.Number)
			if err := p.Apply(dst, values, nil); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			return nil
		})
		return rows, lines, err
	}
	text := "\ufeffid,d,c,b,price,a\r\n1,x,red,,99,14\r\n2,,\"green\",1,,10\r\n"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(text))
	require.NoError(t, z.Close())
	for _, content := range [][]byte{[]byte(text), packed.Bytes()} {
		rows, lines, err := read(content)
		require.NoError(t, err)
		require.Equal(t, [][]float32{{2, 3, 0, 0, 1, 1}, {0, 1, 0, 1, 0, 1}}, rows)
		require.Equal(t, []int{2, 3}, lines)
	}
	for text, want := range map[string]string{
		"":                       "empty file",
		"a,b,c\n1,2,red\n":       `header: no column "d"; the model takes ["a" "b" "c" "d"]`,
		"a,b,c,d\n1,2,red\n":     "line 2: 3 cells, the header has 4",
		"a,b,c,d\nten,2,red,x\n": `column "a": text "ten" in a numeric column`,
		"a,b,c,d\n1,2,\"red,x\n": "line 2",
	} {
		_, _, err := read([]byte(text))
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, want)
	}
}

func TestValidate(t *testing.T) {
	digest := blob.DigestOf(nil)
	manifest := func(change func(*dataset.Manifest)) error {
		m := &dataset.Manifest{
			Version: 1, Features: 6, Targets: 1, Preprocessing: sample(),
			Splits: map[job.Split][]dataset.BlockRef{job.Train: {{Digest: digest, Rows: 3, Bytes: 148}}},
		}
		change(m)
		return m.Validate()
	}
	require.NoError(t, manifest(func(*dataset.Manifest) {}))
	for want, change := range map[string]func(*dataset.Manifest){
		"no preprocessing": func(m *dataset.Manifest) { m.Preprocessing = nil },
		"want 6 features":  func(m *dataset.Manifest) { m.Features = 5 },
		"0 targets":        func(m *dataset.Manifest) { m.Targets = 0 },
		"1 classes":        func(m *dataset.Manifest) { m.Classes = []string{"a"} },
		"want rows":        func(m *dataset.Manifest) { m.Splits = nil },
		"splits.test[0]":   func(m *dataset.Manifest) { m.Splits[job.Test] = []dataset.BlockRef{{Rows: -1}} },
		"splits.train[1]": func(m *dataset.Manifest) {
			m.Splits[job.Train] = append(m.Splits[job.Train], dataset.BlockRef{Digest: digest, Rows: math.MaxInt32, Bytes: 1})
		},
		"splits.train[0]: 84 bytes for 3 rows": func(m *dataset.Manifest) { m.Splits[job.Train][0].Bytes = 84 },
		"want 85 to 180":                       func(m *dataset.Manifest) { m.Splits[job.Train][0].Bytes = 84 + 97 },
		"digest \"abc\"":                       func(m *dataset.Manifest) { m.Splits[job.Train][0].Digest = "abc" },
		"splits.other: want one of":            func(m *dataset.Manifest) { m.Splits["other"] = nil },
		"version 2: want 1":                    func(m *dataset.Manifest) { m.Version = 2 },
		"classes[1]": func(m *dataset.Manifest) {
			m.Classes, m.Preprocessing.Label.Kind = []string{"a", "a"}, dataset.Categorical
		},
		"2 classes of a label of kind \"numeric\"": func(m *dataset.Manifest) { m.Classes = []string{"a", "b"} },
		"want at most 1024": func(m *dataset.Manifest) {
			m.Preprocessing.Columns[2].Categories = []string{"a", "b", strings.Repeat("c", 1025)}
		},
		"2097152 columns: want at most 1048576": func(m *dataset.Manifest) {
			m.Preprocessing.Columns = make([]dataset.Column, 1<<21)
		},
		"scale 0":               func(m *dataset.Manifest) { m.Preprocessing.Columns[0].Scale = 0 },
		"shift NaN":             func(m *dataset.Manifest) { m.Preprocessing.Columns[0].Shift = math.NaN() },
		"columns[1]: kind \"\"": func(m *dataset.Manifest) { m.Preprocessing.Columns[1].Kind = "" },
		"sorted":                func(m *dataset.Manifest) { m.Preprocessing.Columns[2].Categories = []string{"b", "b", "c"} },
		"second column":         func(m *dataset.Manifest) { m.Preprocessing.Columns[1].Name = "a" },
		"label":                 func(m *dataset.Manifest) { m.Preprocessing.Label.Scale = math.Inf(1) },
		"no features":           func(m *dataset.Manifest) { m.Preprocessing.Columns = nil },
	} {
		err := manifest(change)
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

// Any manifest that passes Validate can be computed with.
func FuzzManifest(f *testing.F) {
	m := &dataset.Manifest{
		Version: 1, Features: 6, Targets: 1, Preprocessing: sample(),
		Splits: map[job.Split][]dataset.BlockRef{job.Train: {{Digest: blob.DigestOf(nil), Rows: 3, Bytes: 148}}},
	}
	data, err := json.Marshal(m)
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"version":2,"fields":[{"name":"x","dtype":"int32","shape":[4],"window":{"of":"s","stride":4}},{"name":"y","dtype":"int32","target":true}],` +
		`"splits":{"train":[{"digest":"` + string(blob.DigestOf(nil)) + `","rows":3,"bytes":328}]}}`))
	f.Add([]byte(`{"version":1,"splits":{"train":[{"rows":9223372036854775807,"bytes":-1}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m dataset.Manifest
		if json.Unmarshal(data, &m) != nil {
			return
		}
		if err := m.Validate(); err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			return
		}
		for s, blocks := range m.Splits {
			rows := dataset.NewOrder(blocks, 1, 0, false).Len()
			require.Equal(t, m.Rows(s), rows)
			for _, b := range blocks {
				require.Positive(t, b.Rows)
				require.Greater(t, b.Bytes, 4*b.Rows*(m.Features+m.Targets))
			}
			for i := range m.Fields {
				require.LessOrEqual(t, rows*m.Fields[i].MaxTerms(), 1<<53)
			}
		}
		require.Positive(t, m.Rows(job.Train))
	})
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("a,b,c,d\n1,2,red,x\n"))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Add([]byte(strings.Repeat("\"", 99)))
	f.Fuzz(func(t *testing.T, content []byte) {
		p := sample()
		dst := make([]float32, p.Features())
		err := p.ReadRows(t.Context(), bytes.NewReader(content), dataset.CSVInput, func(_ dataset.Place, values []dataset.Value) error { return p.Apply(dst, values, nil) })
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
		}
	})
}
