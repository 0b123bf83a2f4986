package registry

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/model"
)

// described returns a model y = 2x + 1 whose training rows were from 0 to 10.
func described(t *testing.T) *Model {
	t.Helper()
	m, err := New(Card{
		ID:            "m-1",
		Spec:          job.Spec{Loss: job.MSE, Model: job.Model{Layers: []job.Layer{{Dense: &job.Dense{Units: 1, Activation: job.NoActivation}}}}},
		Preprocessing: &dataset.Preprocessing{Columns: []dataset.Column{{Name: "x", Kind: dataset.Numeric, Scale: 1}}, Label: dataset.Column{Name: "y", Kind: dataset.Numeric, Scale: 1}},
	}, model.Weights{Trained: []float32{2, 1}})
	require.NoError(t, err)
	require.NoError(t, m.Describe([]byte(`{"version":1,"rows":20,"columns":[{"name":"x","min":0,"max":10,"edges":[5],"counts":[10,10]}]}`)))
	return m
}

func TestTheProfileIsKeptWithTheModel(t *testing.T) {
	dir := t.TempDir()
	m := described(t)
	require.NoError(t, Save(dir, m))
	loaded, err := Load(dir)
	require.NoError(t, err)
	require.Equal(t, m.Profile(), loaded.Profile())
	require.NotEmpty(t, loaded.Card.ProfileSHA256)
	again, err := Encode(loaded)
	require.NoError(t, err)
	first, err := Encode(m)
	require.NoError(t, err)
	require.Equal(t, first, again)

	file := filepath.Join(dir, ProfileFile)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(first[ProfileFile]), "20", "21", 1)), 0o600))
	_, err = Load(dir)
	require.ErrorIs(t, err, job.ErrCorrupt)
	require.NoError(t, os.Remove(file))
	bare, err := Load(dir)
	require.NoError(t, err, "a copy of a model may be without it")
	require.Nil(t, bare.Profile())
	_, err = bare.Compare()
	require.ErrorContains(t, err, "no description of its training rows")
	delete(first, ProfileFile)
	_, err = Decode(first)
	require.NoError(t, err)
	require.Error(t, m.Describe([]byte(`{}`)))
}

// Counting changes no bit of an answer, and "drift" adds to the answer only if it is true.
func TestDriftInRequests(t *testing.T) {
	m := described(t)
	limits := Limits{Rows: 1000, Answer: 1 << 20}
	ask := func(m *Model, request string) *Prediction {
		p, err := m.PredictJSON(t.Context(), []byte(request), limits)
		require.NoError(t, err)
		return p
	}
	rows := `"rows":[[1],[12],{"x":-1}]`
	plain := ask(m, "{"+rows+"}")
	require.Nil(t, plain.Drift)
	require.Equal(t, plain, ask(m, `{"drift":false,`+rows+`}`))
	watched := m.Watching(m.Training.NewCounter())
	require.Equal(t, plain, ask(watched, "{"+rows+"}"))
	for _, request := range []string{`{"drift":true,` + rows + `}`, `{` + rows + `,"drift":true}`} {
		p := ask(watched, request)
		require.Equal(t, plain.Predictions, p.Predictions)
		require.EqualValues(t, 3, p.Drift.Rows)
		require.EqualValues(t, 2, p.Drift.Columns[0].OutOfRange)
		require.Equal(t, "12", p.Drift.Columns[0].Example)
		require.Greater(t, p.SoFar.Rows, p.Drift.Rows)
		p.Drift, p.SoFar = nil, nil
		require.Equal(t, plain, p)
	}
	for request, want := range map[string]string{
		`{"drift":1,"rows":[[1]]}`:                 "drift: 1: want true or false",
		`{"drift":"x","rows":[[1]]}`:               "want true or false",
		`{"drift":true}`:                           "rows: missing",
		`{"\u0064rift":true,"rows":[[1]]}`:         "the name of the field has escapes",
		`{"drift":true,"drift":true,"rows":[[1]]}`: "duplicate",
	} {
		_, err := m.PredictJSON(t.Context(), []byte(request), limits)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	bare := *m
	bare.Training = nil
	_, err := bare.PredictJSON(t.Context(), []byte(`{"drift":true,"rows":[[1]]}`), limits)
	require.ErrorContains(t, err, "no description")
	_, err = json.Marshal(ask(watched, `{"drift":true,"rows":[`+strings.TrimSuffix(strings.Repeat("[3],", 200), ",")+`]}`))
	require.NoError(t, err)
}

func TestDriftOfAFile(t *testing.T) {
	m := described(t)
	counter, err := m.Compare()
	require.NoError(t, err)
	text := "x\n" + strings.Repeat("1\n9\n", 100) + "11\n"
	_, err = m.Watching(counter).PredictFile(t.Context(), bytes.NewReader([]byte(text)), dataset.Reading{}, func(Answer) error { return nil })
	require.NoError(t, err)
	r := counter.Report()
	require.EqualValues(t, 201, r.Rows)
	require.EqualValues(t, 1, r.Columns[0].OutOfRange)
	require.Less(t, *r.Columns[0].PSI, 0.01)
}
