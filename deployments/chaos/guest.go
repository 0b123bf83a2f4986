package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tributary/shared/job"
)

// oversized submits a job that does not fit into memory. The job must wait and say why.
func oversized(ctx context.Context, e *enemy) error {
	_, err := e.submit(ctx, fmt.Sprintf(`%s
name: fat
model: {layers: [{dense: {units: %d, activation: relu}}, {dense: {units: 4096, activation: relu}}, {dense: {units: 10}}]}
optimizer: {adam: {learning_rate: 0.001}}
batch: 256
epochs: 1000
`, digits, 4096*(1+e.r.IntN(2))), func(r job.Record) error {
		switch {
		case r.State.Final():
			return fmt.Errorf("it %s, and must wait", r.State)
		case r.Message == "":
			return fmt.Errorf("it is %s, and must say for what it waits", r.State)
		}
		return nil
	})
	return err
}

// The size of the wide table.
const (
	wideColumns = 120_000
	wideRows    = 40
)

// wide writes the wide table, once.
func (l *lab) wide() error {
	l.once.Do(func() { l.wideErr = writeWide(l.wideFile()) })
	return l.wideErr
}

func (l *lab) wideFile() string { return filepath.Join(l.temp, "wide.csv") }

func writeWide(name string) error {
	var b strings.Builder
	for i := range wideColumns {
		b.WriteString("c" + strconv.Itoa(i) + ",")
	}
	b.WriteString("y\n")
	for r := range wideRows {
		for i := range wideColumns {
			b.WriteString(strconv.Itoa((r*7+i)%10) + ",")
		}
		b.WriteString(strconv.Itoa(r%5) + "\n")
	}
	return os.WriteFile(name, []byte(b.String()), 0o600)
}

// wide submits a job of very many columns.
func wide(ctx context.Context, e *enemy) error {
	if err := e.fleet.lab.wide(); err != nil {
		return err
	}
	id, err := e.submit(ctx, fmt.Sprintf(`
name: wide
data: {source: %s, format: csv, label: y}
model: {layers: [{dense: {units: 1}}]}
loss: mse
optimizer: {sgd: {learning_rate: 0.0000000001}}
batch: 16
steps: 1000000
`, e.fleet.lab.wideFile()), func(r job.Record) error {
		if r.State == job.Succeeded || r.State == job.Failed {
			return fmt.Errorf("it %s, and must run until it is cancelled", r.State)
		}
		return nil
	})
	if err != nil || e.r.IntN(2) == 0 {
		return err
	}
	if err := wait(ctx, randomTime(e.r, 0, 4*time.Second)); err != nil {
		return err
	}
	return e.ask(ctx, "tributary.jobs.cancel", string(id), &struct{}{})
}

// diverging submits a job that must fail by itself, and retries it after it has failed.
func diverging(ctx context.Context, e *enemy) error {
	id, err := e.submit(ctx, `
name: diverging
data: {source: deployments/data/ames-house-prices.csv.gz, format: csv, label: Sale_Price, clean: {missing: median}}
model: {layers: [{dense: {units: 32, activation: relu}}, {dense: {units: 1}}]}
loss: mse
optimizer: {sgd: {learning_rate: 1000000, momentum: 0.9}}
batch: 64
microbatches: 8
epochs: 1000
`, func(r job.Record) error {
		if r.State != job.Failed {
			return fmt.Errorf("it is %s, and must fail", r.State)
		}
		return nil
	})
	for err == nil {
		if err = wait(ctx, randomTime(e.r, 500*time.Millisecond, 3*time.Second)); err == nil {
			if again := e.ask(ctx, "tributary.jobs.retry", string(id), &struct{}{}); again != nil && !refused(again) {
				err = again
			}
		}
	}
	return err
}
