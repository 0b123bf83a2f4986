package job_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestDefaultMicrobatches(t *testing.T) {
	for batch, want := range map[int]int{1: 1, 64: 1, 127: 1, 128: 2, 255: 2, 256: 4, 512: 8, 1000: 8, 4095: 32, 4096: 64, 1 << 20: 64} {
		s := job.Spec{Batch: batch}
		s.Default()
		require.Equal(t, want, s.Microbatches, batch)
	}
}

func TestFormatComesFromTheName(t *testing.T) {
	for source, want := range map[string]job.Format{
		"a.csv": job.CSV, "file:a.CSV.gz": job.CSV, "nats:b/x.csv": job.CSV,
		"train-images-idx3-ubyte": job.IDX, "t10k-images-idx3-ubyte.gz": job.IDX, "a.idx3-ubyte": job.IDX, "a.idx.gz": job.IDX, "b.idx1": job.IDX,
		"a.tsv": job.CSV, "a.TSV.zst": job.CSV, "d/*.csv.zip": job.CSV, "a.jsonl.bz2": job.JSONL, "a.ndjson": job.JSONL, "a.parquet": job.Parquet, "https://h/a.csv?n=1": job.CSV, "https://h/d?f=a.jsonl": job.JSONL, "https://h/a?n=1": "", "s3://b/a.parquet": job.Parquet, "a.csv?n=1": "", "postgres://h/d.csv": job.SQL, "sqlite:a.csv": job.SQL, "a.json": "", "a.gz": "", "a": "", "csv": "", "idx3-ubyte/a": "",
	} {
		s := job.Spec{Data: job.Data{Source: source}}
		s.Default()
		require.Equal(t, want, s.Data.Format, source)
	}
	given := job.Spec{Data: job.Data{Source: "a.csv", Format: job.IDX}}
	given.Default()
	require.Equal(t, job.IDX, given.Data.Format)
}

func TestDefaultsKeepWhatIsGiven(t *testing.T) {
	no := false
	s := job.Spec{
		Batch: 512, Microbatches: 1, Strict: &no, Evaluate: job.Evaluation{EverySteps: 3},
		Data:  job.Data{Split: job.SplitSpec{Train: 0.5}, Clean: job.Clean{Missing: job.Missing{Method: "mean"}, Duplicates: job.DropDuplicates}},
		Model: job.Model{Layers: []job.Layer{{Dense: &job.Dense{Units: 1, Activation: job.GELU, Bias: &no}}, {}}, Init: job.Init{From: "w"}},
	}
	want := s
	s.Default()
	want.Data.Transform = job.Transform{Scale: job.Scale{Method: "none"}, Categorical: job.Encoding{Method: job.OneHot}, Label: job.Scale{Method: "none"}}
	require.Equal(t, want, s)
}

// Only the loss that has a parameter gets its default, so that other specs keep their bytes.
func TestDefaultsOfLosses(t *testing.T) {
	for _, word := range job.Loss("").Allowed() {
		s := job.Spec{Loss: job.Loss(word)}
		s.Default()
		delta, quantile := 0.0, 0.0
		switch s.Loss {
		case job.Huber:
			delta = 1
		case job.Quantile:
			quantile = 0.5
		default:
		}
		require.Equal(t, []float64{delta, quantile, 0}, []float64{s.LossDelta, s.LossQuantile, s.LabelSmoothing}, word)
	}
	s := job.Spec{Loss: job.Huber, LossDelta: 3}
	s.Default()
	require.Equal(t, 3.0, s.LossDelta)
}

func TestChoicesInJSON(t *testing.T) {
	for text, want := range map[string]job.Missing{
		`"drop"`: {Method: "drop"}, `"mean"`: {Method: "mean"}, `"median"`: {Method: "median"},
		`{"constant":0}`: {Method: "constant"}, `{"constant":-1.5}`: {Method: "constant", Constant: -1.5},
	} {
		var m job.Missing
		require.NoError(t, json.Unmarshal([]byte(text), &m))
		require.Equal(t, want, m)
		requireJSON(t, text, m)
	}
	for text, want := range map[string]job.Scale{
		`"none"`: {Method: "none"}, `"standard"`: {Method: "standard"}, `"minmax"`: {Method: "minmax"}, `{"divide":255}`: {Method: "divide", Divide: 255},
	} {
		var s job.Scale
		require.NoError(t, json.Unmarshal([]byte(text), &s))
		require.Equal(t, want, s)
		requireJSON(t, text, s)
	}
	requireJSON(t, `"drop"`, job.Missing{})
	requireJSON(t, `"none"`, job.Scale{})
	for _, text := range []string{`"men"`, `"constant"`, `"divide"`, `{}`, `{"constant":null}`, `{"constant":"1"}`, `{"constant":1,"x":2}`, `{"divide":1}`, `1`, `[]`, `null`, `true`} {
		m := job.Missing{Method: "mean"}
		require.ErrorIs(t, m.UnmarshalJSON([]byte(text)), job.ErrInvalid, text)
		require.Equal(t, job.Missing{Method: "mean"}, m)
	}
}

func requireJSON(t *testing.T, want string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	require.Equal(t, want, string(text))
}

func TestZerosThatMeanSomethingSurviveJSON(t *testing.T) {
	s := job.Spec{Optimizer: job.Optimizer{Adam: &job.Adam{LearningRate: 1, Epsilon: 1}}}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	var again job.Spec
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, s.Optimizer.Adam, again.Optimizer.Adam)
	require.False(t, again.Data.Shuffle)

	require.NoError(t, json.Unmarshal([]byte(`{"data": {}, "optimizer": {"adam": {}}}`), &again))
	require.True(t, again.Data.Shuffle)
	require.Error(t, json.Unmarshal([]byte(`{"data": {"shuffle": 1}}`), &again))
	require.Error(t, json.Unmarshal([]byte(`{"optimizer": {"adam": {"beta1": ""}}}`), &again))
}

// The pattern in the tags of id and name is the pattern that Validate uses for ids.
func TestNamesAndIDsHaveOneRule(t *testing.T) {
	spec := reflect.TypeFor[job.Spec]()
	id, _ := spec.FieldByName("ID")
	name, _ := spec.FieldByName("Name")
	const pattern = `pattern=^[a-z0-9]([a-z0-9_-]{0\,62}[a-z0-9])?$`
	require.Equal(t, pattern, id.Tag.Get("jsonschema"))
	require.Equal(t, "required,"+pattern, name.Tag.Get("jsonschema"))
	require.NoError(t, job.ID("a-b_9").Validate())
	require.Error(t, job.ID("-a").Validate())
}
