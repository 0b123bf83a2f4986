package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"tributary/deployments/bench/chart"
	"tributary/deployments/bench/fleet"
)

// columns is the number of features of the generated rows.
const columns = 8

// rows measures what a longer dataset costs: the time and memory of its ingest, a step of
// 256 rows, and the memory of the worker that trains.
func (c *curves) rows(ctx context.Context, lab *fleet.Lab) ([]chart.Panel, error) {
	var xs []int
	for n := 10_000; n <= c.Rows; n *= 10 {
		xs = append(xs, n)
	}
	if len(xs) == 0 {
		xs = []int{c.Rows}
	}
	dir, err := lab.Dir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	measured, err := c.points(ctx, "rows", xs, func(x int) ([]float64, error) {
		file := filepath.Join(dir, "rows.csv")
		if err := write(file, x); err != nil {
			return nil, err
		}
		spec := fleet.Object{
			"name": "rows", "loss": "mse", "batch": 256, "microbatches": 2, "steps": c.steps(500),
			"data":  fleet.Object{"source": file, "label": "y"},
			"model": fleet.Dense("relu", 32, 1), "optimizer": fleet.SGD(0.01),
		}
		took, err := ingested(ctx, dir, spec)
		if err != nil {
			return nil, err
		}
		ms, mib, err := c.fleetStep(ctx, lab, fleet.Servers{}, 1, spec)
		return []float64{took.Seconds, took.MiB, ms, mib}, err
	})
	if err != nil {
		return nil, err
	}
	return []chart.Panel{
		chart.Lines{Title: "Ingest of rows with 8 features", X: "rows", Y: "seconds", LogX: true, LogY: true, Lines: []chart.Line{{Name: "ingest", Points: measured[0]}}},
		chart.Lines{Title: "The most memory held", X: "rows", Y: "MiB resident", LogX: true, LogY: true, Lines: []chart.Line{{Name: "ingest", Points: measured[1]}, {Name: "worker", Points: measured[3]}}},
		chart.Lines{Title: "A step of 256 of the rows, one worker", X: "rows", Y: "ms per step", LogX: true, LogY: true, Lines: []chart.Line{{Name: "step", Points: measured[2]}}},
	}, nil
}

// write creates a file with so many rows. Each row is a function of its position.
func write(file string, rows int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range columns {
		fmt.Fprintf(w, "x%d,", i)
	}
	fmt.Fprintln(w, "y")
	var line []byte
	for r := range rows {
		line = line[:0]
		sum := 0
		for i := range columns {
			v := (r*(7919+2*i) + 31*i) % 1013
			sum += v
			line = append(strconv.AppendFloat(line, float64(v)/1013, 'f', 3, 64), ',')
		}
		line = append(strconv.AppendFloat(line, float64(sum)/4096, 'f', 4, 64), '\n')
		if _, err := w.Write(line); err != nil {
			_ = f.Close() // report the first error
			return err
		}
	}
	if err := w.Flush(); err != nil {
		_ = f.Close() // report the first error
		return err
	}
	return f.Close()
}

// ingested ingests a spec's data in a separate process.
func ingested(ctx context.Context, dir string, spec any) (*cost, error) {
	data, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "spec.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, self, "ingest", file, filepath.Join(dir, "blobs"))
	defer os.RemoveAll(filepath.Join(dir, "blobs"))
	var out, log bytes.Buffer
	c.Stdout, c.Stderr = &out, &log
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("ingest: %w: %s", err, log.String())
	}
	var took cost
	return &took, json.Unmarshal(out.Bytes(), &took)
}
