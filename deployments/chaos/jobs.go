package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"tributary/coordinator/ingest"
	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/plan"
	"tributary/shared/registry"
	"tributary/shared/serial"
	"tributary/shared/spec"
)

// work is a job that scenarios train. Each takes some seconds on two cores.
type work struct {
	name, spec string
	once       sync.Once
	want       job.Digest
	err        error
}

const digits = `
data: {source: deployments/data/digits.csv.gz, format: csv, label: digit, transform: {scale: standard},
  split: {train: 0.8, validation: 0.1, test: 0.1, stratify: true}}
loss: softmax_cross_entropy
metrics: [accuracy]
`

var works = []*work{
	// Small steps, many of them.
	{name: "digits", spec: digits + `
name: digits
model: {layers: [{dense: {units: 64, activation: relu}}, {dense: {units: 10}}]}
optimizer: {adam: {learning_rate: 0.003}}
batch: 256
microbatches: 8
epochs: 250
evaluate: {every_epochs: 50}
seed: 42
`},
	// Gradients of several chunks.
	{name: "deep", spec: digits + `
name: deep
model: {layers: [{dense: {units: 512, activation: tanh}}, {dense: {units: 256, activation: gelu}}, {dense: {units: 10}}]}
optimizer: {adamw: {learning_rate: 0.001}}
batch: 128
microbatches: 4
epochs: 30
evaluate: {every_epochs: 10}
seed: 7
`},
	// Regression with momentum.
	{name: "house", spec: `
name: house
data: {source: deployments/data/ames-house-prices.csv.gz, format: csv, label: Sale_Price, clean: {missing: median},
  transform: {scale: standard, label: standard}, split: {train: 0.8, validation: 0.1, test: 0.1}}
model: {layers: [{dense: {units: 32, activation: relu}}, {dense: {units: 1}}]}
loss: mse
optimizer: {sgd: {learning_rate: 0.003, momentum: 0.9}}
batch: 64
microbatches: 4
epochs: 60
evaluate: {every_epochs: 20}
seed: 3
metrics: [rmse]
`},
}

func jobNames() []string {
	var names []string
	for _, w := range works {
		names = append(names, w.name)
	}
	return names
}

func jobByName(name string) *work {
	for _, w := range works {
		if w.name == name {
			return w
		}
	}
	return nil
}

// reference trains the job in one plain loop, once.
func (w *work) reference(ctx context.Context) (job.Digest, error) {
	w.once.Do(func() {
		if w.want, w.err = plainly(ctx, w.spec); w.err != nil {
			w.err = fmt.Errorf("reference of %s: %w", w.name, w.err)
		}
	})
	return w.want, w.err
}

func plainly(ctx context.Context, text string) (job.Digest, error) {
	s, err := spec.Decode([]byte(strings.TrimSpace(text)))
	if err != nil {
		return "", err
	}
	blobs := blob.NewMemory(0)
	manifest, err := ingest.Run(ctx, s, &ingest.Roots{Anywhere: true}, blobs, nil)
	if err != nil {
		return "", err
	}
	p := &plan.Plan{Version: plan.Version, Spec: *s, Dataset: *manifest, ChunkLen: 1 << 16}
	e, err := gradient.Compile(ctx, p, blobs, dataset.NewCache(blobs, 1<<26))
	if err != nil {
		return "", err
	}
	r, err := serial.Train(ctx, e)
	if err != nil {
		return "", err
	}
	return registry.ParametersDigest(r.Params), nil
}
