package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/spec"
)

// messy is a case of testdata/messy/pandas.json, which make.py writes.
type messy struct {
	File    string          `json:"file"`
	What    string          `json:"what"`
	Data    json.RawMessage `json:"data"` // the fields of data that the file needs
	Label   string          `json:"label"`
	LeftOut []string        `json:"left_out"` // columns that no feature comes from
	Pandas  string          `json:"pandas"`   // the options of read_csv
	Refused string          `json:"refused"`  // the remedy that the refusal names
	Error   string          `json:"error"`    // of pandas
	Columns []struct {
		Name   string `json:"name"`
		Number bool   `json:"number"`
		Cells  []any  `json:"cells"` // numbers, texts, or nil for a missing value
	} `json:"columns"`
}

// read returns the columns that ingest reads, the label last, and the notes. A column has
// numbers, texts or nil for a missing value.
func (m *messy) read(t *testing.T) (columns map[string][]any, notes string, err error) {
	t.Helper()
	s := m.spec(t)
	var said []string
	w := &work{
		Ingest: &Ingest{Sources: local, Progress: func(s string) { said = append(said, s) }},
		space:  &space{keep: keepBytes}, texts: newTextRoom(maxTexts),
	}
	table, _, err := w.read(t.Context(), s)
	if err != nil {
		return nil, "", err
	}
	columns = map[string][]any{}
	err = table.cells.each(context.Background(), all(table.rows), func(_ int, row []float64) {
		for j, x := range row {
			c := &table.columns[j]
			columns[c.name] = append(columns[c.name], cellOf(x, c.kind, c.dict))
		}
	})
	require.NoError(t, err)
	err = table.label.cells.each(context.Background(), all(table.rows), func(_ int, row []float64) {
		columns[m.Label] = append(columns[m.Label], cellOf(row[0], dataset.Numeric, nil))
	})
	require.NoError(t, err)
	return columns, strings.Join(said, "\n"), nil
}

func cellOf(x float64, kind dataset.ColumnKind, d *dictionary) any {
	switch {
	case isMissing(x):
		return nil
	case kind == dataset.Categorical:
		return d.texts[int(x)]
	default:
		return x
	}
}

// spec is a spec that reads the file.
func (m *messy) spec(t *testing.T) *job.Spec {
	t.Helper()
	var data map[string]any
	require.NoError(t, json.Unmarshal(m.Data, &data))
	data["source"], data["label"] = filepath.Join("testdata/messy", m.File), m.Label
	text, err := json.Marshal(map[string]any{
		"name": "messy", "data": data, "model": map[string]any{"layers": []any{map[string]any{"dense": map[string]any{"units": 1}}}},
		"loss": "mse", "optimizer": map[string]any{"sgd": map[string]any{"learning_rate": 0.1}}, "batch": 1, "steps": 1,
	})
	require.NoError(t, err)
	s, err := spec.Decode(text)
	require.NoError(t, err, m.File)
	return s
}

// Forty ordinary messy files are read as pandas reads them when it is told how, or are
// refused with the remedy. The table in deployments/data/README.md says so.
func TestMessyFiles(t *testing.T) {
	text, err := os.ReadFile("testdata/messy/pandas.json")
	require.NoError(t, err)
	var cases []messy
	require.NoError(t, json.Unmarshal(text, &cases))
	require.Len(t, cases, 40)
	table := "| file | what it has | options of pandas | fields of `data` | result |\n| --- | --- | --- | --- | --- |\n"
	for i := range cases {
		m := &cases[i]
		columns, notes, err := m.read(t)
		result := "the same"
		switch {
		case m.Refused != "":
			require.ErrorIs(t, err, job.ErrInvalid, m.File)
			require.ErrorContains(t, err, m.Refused, m.File)
			result = "refused: " + m.Refused
		default:
			require.NoError(t, err, m.File)
			want := map[string][]any{}
			for _, c := range m.Columns {
				want[c.Name] = c.Cells
			}
			for _, name := range m.LeftOut {
				require.Contains(t, want, name, m.File)
				delete(want, name)
				require.Contains(t, notes, fmt.Sprintf("is left out (as %q", name), m.File)
				result = "the same, without " + name
			}
			require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(columns)), m.File)
			require.Equal(t, want, columns, m.File)
		}
		pandas := code(m.Pandas)
		if m.Error != "" {
			pandas += " fails: " + m.Error
		}
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, m.Data))
		fields := strings.TrimSuffix(strings.TrimPrefix(compact.String(), "{"), "}")
		table += fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", m.File, m.What, pandas, code(fields), result)
	}
	page, err := os.ReadFile(data + "README.md")
	require.NoError(t, err)
	require.Contains(t, string(page), table, "want this table:\n%s", table)
}

// code formats code for a cell of a table.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}
