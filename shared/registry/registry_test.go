package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/model"
)

// column is a numeric column without scaling.
func column(name string) dataset.Column {
	return dataset.Column{Name: name, Kind: dataset.Numeric, Scale: 1}
}

// linear returns a model y = W x + b of numeric columns a, b, … with the loss of a spec.
func linear(t testing.TB, loss job.Loss, classes []string, label dataset.Column, inputs int, params ...float32) *Model {
	t.Helper()
	p := &dataset.Preprocessing{Label: label}
	for i := range inputs {
		p.Columns = append(p.Columns, column(string(rune('a'+i))))
	}
	card := Card{
		ID: "line-1", Run: "r1", Name: "line", Created: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
		Spec: job.Spec{Name: "line", Loss: loss, Model: job.Model{
			Layers: []job.Layer{{Dense: &job.Dense{Units: len(params) / (inputs + 1), Activation: job.NoActivation}}},
			Init:   job.Init{Scheme: job.TorchUniform},
		}, Data: job.Data{
			Clean:     job.Clean{Missing: job.Missing{Method: "drop"}, Duplicates: job.KeepDuplicates},
			Transform: job.Transform{Scale: job.Scale{Method: "none"}, Label: job.Scale{Method: "none"}},
		}, Optimizer: job.Optimizer{SGD: &job.SGD{LearningRate: 0.01}}, Batch: 5, Microbatches: 1, Epochs: 100},
		Preprocessing: p, Classes: classes, Steps: 100, TrainLoss: new(0.25),
		Metrics: map[job.Split]map[string]float64{job.Train: {"loss": 0.25, "rmse": 0.5}},
		Dataset: "d1", Plan: "p1", Numerics: "n1",
	}
	m, err := New(card, model.Weights{Trained: params})
	require.NoError(t, err)
	return m
}

func TestSaveAndLoad(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1.5, -2.25, 0.125)
	require.Equal(t, 2, m.Card.Features)
	require.Equal(t, 1, m.Card.Outputs)
	require.NotEmpty(t, m.Card.Versions.Go)
	dir := filepath.Join(t.TempDir(), "deep", "out")
	require.NoError(t, Save(dir, m))
	require.NoError(t, Save(dir, m), "over an older one")

	got, err := Load(dir)
	require.NoError(t, err)
	require.Equal(t, m.Weights.Trained, got.Weights.Trained)
	require.Empty(t, cmp.Diff(m.Card, got.Card))

	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, names, 2, "no temporary files are left")
	info, err := os.Stat(filepath.Join(dir, CardFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode().Perm())
}

func TestEncodeIsDeterministicAndNamesNaN(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1.5, -2.25, 0.125)
	zero := 0.0
	m.Card.Metrics[job.Test] = map[string]float64{"loss": 1, "r2": zero / zero, "auc": 1 / zero}
	a, err := Encode(m)
	require.NoError(t, err)
	b, err := Encode(m)
	require.NoError(t, err)
	require.Equal(t, a, b)
	got, err := Decode(a)
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"loss": 1}, got.Card.Metrics[job.Test])
	require.Len(t, got.Card.Undefined[job.Test], 2, "they are named")
	require.Contains(t, got.Card.Undefined[job.Test]["auc"], "+Inf")
}

// This command prints the same digest:
//
//	python3 -c "import struct,hashlib;print(hashlib.sha256(struct.pack('<3f',1.5,-2.25,.125)).hexdigest())"
func TestParametersDigest(t *testing.T) {
	require.Equal(t, job.Digest("b568ed94e0111f04b3eeb2d5fbc68f4f3467d91f0c4c425f86e17f4d69fd5413"), ParametersDigest([]float32{1.5, -2.25, 0.125}))
}

func TestNewRefuses(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 1, 2, 3)
	zero := float32(0)
	for want, change := range map[string]func(c *Card) []float32{
		"1 parameters; its spec has 2":                               func(*Card) []float32 { return []float32{1} },
		"parameter 1 is NaN":                                         func(*Card) []float32 { return []float32{1, zero / zero} },
		"preprocessing is missing":                                   func(c *Card) []float32 { c.Preprocessing = nil; return m.Weights.Trained },
		"2 classes; loss mse over 1 outputs has 0":                   func(c *Card) []float32 { c.Classes = []string{"a", "b"}; return m.Weights.Trained },
		"0 classes; loss sigmoid_cross_entropy over 1 outputs has 2": func(c *Card) []float32 { c.Spec.Loss = job.SigmoidCrossEntropy; return m.Weights.Trained },
	} {
		card := m.Card
		params := change(&card)
		_, err := New(card, model.Weights{Trained: params})
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1.5, -2.25, 0.125)
	good, err := Encode(m)
	require.NoError(t, err)
	edit := func(old, instead string) func(f map[string][]byte) {
		return func(f map[string][]byte) {
			require.Contains(t, string(f[CardFile]), old)
			f[CardFile] = []byte(strings.Replace(string(f[CardFile]), old, instead, 1))
		}
	}
	for name, c := range map[string]struct {
		change func(f map[string][]byte)
		class  error
		want   string
	}{
		"no card":      {func(f map[string][]byte) { delete(f, CardFile) }, job.ErrNotFound, "model without model.json"},
		"no weights":   {func(f map[string][]byte) { delete(f, WeightsFile) }, job.ErrNotFound, "model without model.safetensors"},
		"broken card":  {func(f map[string][]byte) { f[CardFile] = f[CardFile][:40] }, job.ErrCorrupt, "model.json: jsontext: unexpected EOF"},
		"later card":   {edit(`"version": 1`, `"version": 2`), job.ErrInvalid, "version 2; this program reads version 1"},
		"bad digest":   {edit(`"parameters_sha256": "`, `"parameters_sha256": "0`), job.ErrCorrupt, "model.json names"},
		"bad features": {edit(`"features": 2`, `"features": 3`), job.ErrCorrupt, "3 features and 1 outputs; its spec and preprocessing have 2 and 1"},
		"bad layers":   {edit(`"units": 1`, `"units": -1`), job.ErrInvalid, "model.json"},
		"huge layers": {func(f map[string][]byte) {
			edit(`"units": 1`, `"units": 100000`)(f)
			edit(`"outputs": 1`, `"outputs": 100000`)(f)
		}, job.ErrCorrupt, "are too few for 300000 parameters"},
		"scale zero":  {edit(`"scale": 1`, `"scale": 0`), job.ErrInvalid, "preprocessing"},
		"flipped bit": {func(f map[string][]byte) { f[WeightsFile][len(f[WeightsFile])-1] ^= 0x80 }, job.ErrCorrupt, "has parameters"},
		"short":       {func(f map[string][]byte) { f[WeightsFile] = f[WeightsFile][:50] }, job.ErrInvalid, "header of"},
	} {
		t.Run(name, func(t *testing.T) {
			files := make(map[string][]byte)
			for k, v := range good {
				files[k] = append([]byte(nil), v...)
			}
			c.change(files)
			_, err := Decode(files)
			require.ErrorIs(t, err, c.class)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(dir)
	require.ErrorIs(t, err, job.ErrNotFound)
	require.EqualError(t, err, fmt.Sprintf("no model in %q: it has no model.json: not found", dir))
	require.NoError(t, os.Mkdir(filepath.Join(dir, CardFile), 0o755))
	_, err = Load(dir)
	require.ErrorContains(t, err, "want a regular file")
}

func TestWriteFilesKeepsOldOnFailure(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, WriteFiles(dir, map[string][]byte{"loss.svg": []byte("old")}))
	require.ErrorIs(t, WriteFiles(dir, map[string][]byte{"../x": nil}), job.ErrInvalid)
	require.ErrorIs(t, WriteFiles(dir, map[string][]byte{"a/b": nil}), job.ErrInvalid)
	// A folder has the name of the file, so the rename fails.
	require.NoError(t, os.Mkdir(filepath.Join(dir, CardFile), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, CardFile, "x"), nil, 0o600))
	require.Error(t, WriteFiles(dir, map[string][]byte{CardFile: []byte("new")}))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2)
	data, err := os.ReadFile(filepath.Join(dir, "loss.svg"))
	require.NoError(t, err)
	require.Equal(t, "old", string(data))
}
