package spec_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/spec"
)

var update = flag.Bool("update", false, "rewrite deployments/jobs/schema.json")

const jobs = "../../deployments/jobs"

func TestPublishedSchemaIsCurrent(t *testing.T) {
	path := filepath.Join(jobs, "schema.json")
	if *update {
		require.NoError(t, os.WriteFile(path, spec.Schema(), 0o644))
	}
	published, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(spec.Schema()), string(published), "run go test ./shared/spec -update and read the diff")
}

func TestEveryWorkedJobDecodes(t *testing.T) {
	var names []string
	for _, pattern := range []string{"*.yaml", "*.json"} {
		found, err := filepath.Glob(filepath.Join(jobs, pattern))
		require.NoError(t, err)
		names = append(names, found...)
	}
	require.Greater(t, len(names), 6)
	for _, name := range names {
		if filepath.Base(name) == "schema.json" {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			s := load(t, name)
			base := filepath.Base(name)
			require.Equal(t, base[:len(base)-len(filepath.Ext(base))], s.Name)
			if s.Data.Inline == nil && s.Name != "mnist" && s.Name != "coupons" { // whose files are fetched
				require.FileExists(t, filepath.Join("../..", s.Data.Source))
			}
		})
	}
}

func load(t *testing.T, name string) *job.Spec {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	s, err := spec.Decode(data)
	require.NoError(t, err)
	return s
}

func TestDigits(t *testing.T) {
	yes := true
	s := load(t, filepath.Join(jobs, "digits.yaml"))
	rate := s.Optimizer.Adam.LearningRate // the only tuned setting
	require.Equal(t, &job.Spec{
		Name: "digits",
		Data: job.Data{
			Source: "deployments/data/digits.csv.gz", Format: job.CSV, Label: job.Columns{"digit"},
			Clean:     job.Clean{Missing: job.Missing{Method: "drop"}, Duplicates: job.KeepDuplicates},
			Transform: job.Transform{Scale: job.Scale{Method: "standard"}, Categorical: job.Encoding{Method: job.OneHot}, Label: job.Scale{Method: "none"}},
			Split:     job.SplitSpec{Train: 0.8, Validation: 0.1, Test: 0.1, Stratify: true},
			Shuffle:   true,
		},
		Model: job.Model{
			Layers: []job.Layer{
				{Dense: &job.Dense{Units: 64, Activation: job.ReLU, Bias: &yes}},
				{Dense: &job.Dense{Units: 10, Activation: job.NoActivation, Bias: &yes}},
			},
			Init: job.Init{Scheme: job.TorchUniform},
		},
		Loss:      job.SoftmaxCrossEntropy,
		Optimizer: job.Optimizer{Adam: &job.Adam{LearningRate: rate, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}},
		Batch:     256, Microbatches: 8, Epochs: 30, Seed: 42,
		Metrics:  []job.Metric{job.Accuracy},
		Evaluate: job.Evaluation{EveryEpochs: 1}, Strict: &yes,
	}, s)
}

func TestLine(t *testing.T) {
	s := load(t, filepath.Join(jobs, "line.json"))
	require.Equal(t, job.ID("line"), s.ID)
	require.JSONEq(t, `[1,2,3,4,5]`, string(s.Data.Inline.X))
	require.JSONEq(t, `[2,4,5,6,8]`, string(s.Data.Inline.Y))
	require.Equal(t, 1, s.Microbatches)
}

// The defaults in the schema are those that Decode fills in.
func TestAnnouncedDefaultsHold(t *testing.T) {
	for _, text := range []string{minimal, "name: a\ndata: {source: a.csv, label: y}\nmodel: {layers: [{dense: {units: 1}}]}\nloss: mse\noptimizer: {sgd: {learning_rate: 1}}\nbatch: 1\nsteps: 1"} {
		s, err := spec.Decode([]byte(text))
		require.NoError(t, err)
		canonical, _, err := spec.Canonical(s)
		require.NoError(t, err)
		var root, instance map[string]any
		require.NoError(t, json.Unmarshal(spec.Schema(), &root))
		require.NoError(t, json.Unmarshal(canonical, &instance))
		require.Greater(t, compareDefaults(t, root, root, instance, ""), 8)
	}
}

// compareDefaults walks the schema and an instance together. A field that was left out
// has its zero value in the instance.
func compareDefaults(t *testing.T, root, schema map[string]any, value any, path string) (compared int) {
	if ref, ok := schema["$ref"].(string); ok {
		schema = root["$defs"].(map[string]any)[filepath.Base(ref)].(map[string]any)
	}
	switch v := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, p := range properties {
			property := p.(map[string]any)
			got, present := v[name]
			if want, ok := property["default"]; ok {
				compared++
				if !present {
					require.Contains(t, []any{0.0, false}, want, "%s.%s", path, name)
					continue
				}
				require.Equal(t, want, got, "%s.%s", path, name)
			}
			compared += compareDefaults(t, root, property, got, path+"."+name)
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for _, e := range v {
			compared += compareDefaults(t, root, items, e, path+"[]")
		}
	}
	return compared
}

func TestSchemaCannotBeChangedByItsReader(t *testing.T) {
	clear(spec.Schema())
	require.True(t, bytes.HasPrefix(spec.Schema(), []byte("{")))
}
