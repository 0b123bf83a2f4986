package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"tributary/shared/job"
)

// Fleet is a set of servers and the workers that are connected to them.
type Fleet struct {
	NATS, Redis string // URLs
	Servers     []*Process
	Workers     []*Process

	lab   *Lab
	dir   string
	ports []int // the ports where workers answer HTTP
}

// Start starts the servers and so many workers, each with so many slots.
func (l *Lab) Start(ctx context.Context, s Servers, workers, slots int) (_ *Fleet, err error) {
	f := &Fleet{lab: l}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if f.dir, err = l.Dir(); err != nil {
		return nil, err
	}
	if f.NATS, err = f.nats(ctx, max(1, s.NATS)); err != nil {
		return nil, err
	}
	if f.Redis, err = f.redis(ctx, max(1, s.Redis)); err != nil {
		return nil, err
	}
	return f, f.Grow(ctx, workers, slots)
}

// Grow starts more workers and waits until they are ready.
func (f *Fleet) Grow(ctx context.Context, workers, slots int) error {
	ports, err := freePorts(ctx, workers)
	if err != nil {
		return err
	}
	first := len(f.Workers)
	f.ports = append(f.ports, ports...)
	for _, port := range ports {
		p, err := f.lab.spawn(ctx, f.lab.program("worker"), "--nats", f.NATS, "--redis", f.Redis, "--slots", strconv.Itoa(slots),
			"--http", "127.0.0.1:"+strconv.Itoa(port), "--log-level", "warn")
		if err != nil {
			return err
		}
		f.Workers = append(f.Workers, p)
	}
	for i, port := range ports {
		if err := until(ctx, func() error { return ready(ctx, port, "/readyz") }); err != nil {
			return fmt.Errorf("a worker does not become ready: %w: %s", err, f.Workers[first+i].log.String())
		}
	}
	return nil
}

// Serve starts a coordinator that takes jobs over NATS.
func (f *Fleet) Serve(ctx context.Context) error {
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return err
	}
	p, err := f.lab.spawn(ctx, f.lab.program("coordinator"), "serve", "--nats", f.NATS, "--redis", f.Redis,
		"--http", "127.0.0.1:"+strconv.Itoa(ports[0]), "--log-level", "warn")
	if err != nil {
		return err
	}
	f.Servers = append(f.Servers, p)
	if err := until(ctx, func() error { return ready(ctx, ports[0], "/readyz") }); err != nil {
		return fmt.Errorf("a coordinator does not become ready: %w: %s", err, p.log.String())
	}
	return nil
}

// ready checks over HTTP whether a program is ready.
func ready(ctx context.Context, port int, path string) error {
	answer, err := get(ctx, port, path)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// Close ends every process, the servers last, and removes their data.
func (f *Fleet) Close() {
	for _, p := range append(append([]*Process(nil), f.Workers...), f.Servers...) {
		p.End()
	}
	if f.dir != "" {
		_ = os.RemoveAll(f.dir) // Lab.Close removes what is left
	}
}

// Outcome holds the fields of the train command's output that the benchmarks use.
type Outcome struct {
	Steps      int64                            `json:"steps"`
	Seconds    float64                          `json:"seconds"`
	Samples    float64                          `json:"samples_per_second"`
	TrainLoss  float64                          `json:"train_loss"`
	Metrics    map[job.Split]map[string]float64 `json:"metrics"`
	Parameters string                           `json:"parameters_sha256"`
	StepMS     *struct {
		// Mean leaves out the first tenth of the steps, in which workers fetch data.
		Mean float64 `json:"mean"`
		P50  float64 `json:"p50"`
		P99  float64 `json:"p99"`
	} `json:"step_ms"`
	// Peak is the largest resident memory of the train command, in bytes.
	Peak int64 `json:"-"`
}

// MS returns the mean time of a step, in milliseconds.
func (o *Outcome) MS() float64 { return o.Seconds * 1e3 / float64(max(1, o.Steps)) }

// Train trains a spec on the fleet's workers.
func (f *Fleet) Train(ctx context.Context, spec any, args ...string) (*Outcome, error) {
	return f.lab.Train(ctx, spec, append([]string{"--nats", f.NATS, "--redis", f.Redis, "--workers", "0"}, args...)...)
}

// Train runs the train command on a spec.
func (l *Lab) Train(ctx context.Context, spec any, args ...string) (*Outcome, error) {
	dir, err := l.Dir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var o Outcome
	state, err := l.coordinator(ctx, &o, "train", spec, append([]string{"--out", dir}, args...)...)
	if err != nil {
		return nil, err
	}
	o.Peak = peak(state)
	return &o, nil
}

// Plan runs the plan command on a spec, with measurements on the fleet's Redis. It
// returns the samples per second that the command predicts for so many workers.
func (f *Fleet) Plan(ctx context.Context, spec any, workers int, args ...string) (float64, error) {
	var p struct {
		Steps []struct {
			Samples float64 `json:"samples_per_second"`
		} `json:"steps"`
	}
	_, err := f.lab.coordinator(ctx, &p, "plan", spec, append([]string{"--redis", f.Redis, "--workers", strconv.Itoa(workers)}, args...)...)
	if err != nil {
		return 0, err
	}
	if len(p.Steps) == 0 {
		return 0, errors.New("coordinator plan: its last line has no steps")
	}
	return p.Steps[len(p.Steps)-1].Samples, nil
}

// coordinator runs one of the coordinator's commands on a spec and decodes the last line
// of its output.
func (l *Lab) coordinator(ctx context.Context, last any, command string, spec any, args ...string) (*os.ProcessState, error) {
	dir, err := l.Dir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	data, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "spec.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, l.program("coordinator"), append([]string{command, file}, args...)...)
	var out, log bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = l.Root, &out, &log
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("coordinator %s: %w: %s", command, err, bytes.TrimSpace(log.Bytes()))
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), last); err != nil {
		return nil, fmt.Errorf("coordinator %s: its last line is not a result: %w", command, err)
	}
	return c.ProcessState, nil
}
