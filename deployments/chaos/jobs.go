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

// work is a job that scenarios train. With several workers on two cores each takes some
// seconds. One worker alone is ten times as fast, because it need not wait for others.
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

var works, worksAlone = catalogue(1), catalogue(10)

// catalogue returns the jobs, with times as many epochs as the shortest ones.
func catalogue(times int) []*work {
	length := func(spec string, epochs, evaluate int) string {
		return fmt.Sprintf("%sepochs: %d\nevaluate: {every_epochs: %d}\n", spec, times*epochs, times*evaluate)
	}
	return []*work{
		// Small steps, many of them.
		{name: "digits", spec: length(digits+`
name: digits
model: {layers: [{dense: {units: 64, activation: relu}}, {dense: {units: 10}}]}
optimizer: {adam: {learning_rate: 0.003}}
batch: 256
microbatches: 8
seed: 42
`, 250, 50)},
		// Gradients of several chunks.
		{name: "deep", spec: length(digits+`
name: deep
model: {layers: [{dense: {units: 512, activation: tanh}}, {layer_norm: {}}, {dropout: {rate: 0.2}}, {dense: {units: 256, activation: gelu}}, {dense: {units: 10}}]}
optimizer: {adamw: {learning_rate: 0.001}}
schedule: {warmup_steps: 40, cosine: {end: 0.1}}
batch: 128
microbatches: 4
seed: 7
`, 30, 10)},
		// Convolutions: several positions to a row.
		{name: "images", spec: length(digits+`
name: images
model: {layers: [{reshape: [8, 8, 1]}, {conv2d: {filters: 8, kernel_size: 3, strides: 2, activation: relu}}, {max_pooling2d: {pool_size: 2, strides: 1}}, {flatten: {}}, {dense: {units: 10}}]}
optimizer: {adam: {learning_rate: 0.003}}
batch: 128
microbatches: 4
seed: 11
`, 20, 10)},
		// Regression with momentum and running statistics.
		{name: "house", spec: length(`
name: house
data: {source: deployments/data/ames-house-prices.csv.gz, format: csv, label: Sale_Price, clean: {missing: median},
  transform: {scale: standard, label: standard}, split: {train: 0.8, validation: 0.1, test: 0.1}}
model: {layers: [{dense: {units: 32}}, {batch_norm: {}}, {activation: relu}, {dense: {units: 1}}]}
loss: mse
optimizer: {sgd: {learning_rate: 0.003, momentum: 0.9}}
batch: 64
microbatches: 4
seed: 3
metrics: [rmse]
`, 60, 20)},
	}
}

func jobNames() []string {
	var names []string
	for _, w := range works {
		names = append(names, w.name)
	}
	return names
}

// jobByName returns the job with the name for so many workers, or nil if there is none.
func jobByName(name string, workers int) *work {
	from := works
	if workers == 1 {
		from = worksAlone
	}
	for _, w := range from {
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
	p, err := plan.Make(s, manifest, 1<<16, nil)
	if err != nil {
		return "", err
	}
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
