package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	goredis "github.com/redis/go-redis/v9"

	"tributary/worker/compute"
)

// Reading is what a fleet has done so far. The difference of two readings is what it did
// between them.
type Reading struct {
	At      time.Time
	Phases  map[compute.Phase]PhaseTimes // over all workers
	CPU     map[string]float64           // seconds of processor time, by program
	Busy    float64                      // seconds of all CPUs, used by any program
	In, Out float64                      // bytes that Redis has received and sent
}

// PhaseTimes is how often a phase was done, and its total time in seconds.
type PhaseTimes struct{ Seconds, Count float64 }

// Read takes a reading.
func (f *Fleet) Read(ctx context.Context) (*Reading, error) {
	r := &Reading{At: time.Now(), Phases: map[compute.Phase]PhaseTimes{}, CPU: map[string]float64{}, Busy: busy()}
	for _, p := range append(append([]*Process(nil), f.Workers...), f.Servers...) {
		r.CPU[p.Name] += p.CPU()
	}
	for _, port := range f.ports {
		if err := r.phases(ctx, port); err != nil {
			return nil, fmt.Errorf("metrics of a worker: %w", err)
		}
	}
	var err error
	r.In, r.Out, err = f.Traffic(ctx)
	return r, err
}

// phases adds the phase times that the worker at a port reports.
func (r *Reading) phases(ctx context.Context, port int) error {
	answer, err := get(ctx, port, "/metrics")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		return err
	}
	for name, to := range map[string]func(l *PhaseTimes, v float64){
		"tributary_worker_phase_seconds_total": func(l *PhaseTimes, v float64) { l.Seconds += v },
		"tributary_worker_phases_total":        func(l *PhaseTimes, v float64) { l.Count += v },
	} {
		family, ok := families[name]
		if !ok {
			return fmt.Errorf("there is no %s", name)
		}
		for _, m := range family.GetMetric() {
			phase := compute.Phase(m.GetLabel()[0].GetValue())
			times := r.Phases[phase]
			to(&times, m.GetCounter().GetValue())
			r.Phases[phase] = times
		}
	}
	return nil
}

// Traffic returns the bytes that the fleet's Redis, a single server, has received and
// sent.
func (f *Fleet) Traffic(ctx context.Context) (in, out float64, err error) {
	opts, err := goredis.ParseURL(f.Redis)
	if err != nil {
		return 0, 0, err
	}
	client := goredis.NewClient(opts)
	defer client.Close()
	info, err := client.InfoMap(ctx, "stats").Result()
	if err != nil {
		return 0, 0, err
	}
	for field, to := range map[string]*float64{"total_net_input_bytes": &in, "total_net_output_bytes": &out} {
		if *to, err = strconv.ParseFloat(info["Stats"][field], 64); err != nil {
			return 0, 0, fmt.Errorf("INFO stats: %s: %w", field, err)
		}
	}
	return in, out, nil
}

// get sends an HTTP request to a program. The caller closes the answer's body.
func get(ctx context.Context, port int, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s answers %s", path, answer.Status), answer.Body.Close())
	}
	return answer, nil
}
