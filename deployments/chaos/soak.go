package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// soak trains one job after another under constant churn. It watches the memory and other
// resources of the servers and of the processes that it does not kill.
type soak struct {
	Minutes float64 `default:"2" help:"How long, in minutes."`
	Out     string  `default:"soak.svg" placeholder:"FILE" help:"The picture."`
	Logs    string  `placeholder:"FOLDER" help:"Keep the log here if the soak test fails; default: a new folder in the system's temporary folder."`
}

// Validate checks the settings. kong calls it.
func (s *soak) Validate() error {
	if !(s.Minutes > 0 && s.Minutes <= 10_000) {
		return fmt.Errorf("--minutes: %v: want more than 0, at most 10000", s.Minutes)
	}
	return nil
}

// sample is one measurement of all resources.
type sample struct {
	at                                  time.Duration
	redisKeys, redisBytes               float64
	streams, consumers, messages        float64
	coordinatorBytes, workerBytes       float64 // resident
	coordinatorRoutines, workerRoutines float64
}

// Run runs the soak. kong calls it.
func (s *soak) Run(ctx context.Context) error {
	l, err := newLab(ctx, s.Logs)
	if err != nil {
		return err
	}
	defer l.close()
	dir := filepath.Join(l.temp, "soak")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	f, err := newFleet(ctx, l, dir, &journal{f: file}, 2, 3, plenty)
	if err == nil {
		err = s.watch(ctx, f)
	}
	f.close()
	return errors.Join(err, l.tidy(dir, file, 0, err != nil))
}

// watch trains jobs. It keeps the first coordinator and the first worker alive, and kills
// the others in turn.
func (s *soak) watch(ctx context.Context, f *fleet) error {
	c, err := dial(f.nats.address)
	if err != nil {
		return err
	}
	defer c.nc.Close()
	begin := time.Now()
	over, cancel := context.WithTimeout(ctx, time.Duration(s.Minutes*float64(time.Minute)))
	defer cancel()
	var (
		busy    sync.WaitGroup
		killed  atomic.Int64
		samples []sample
	)
	busy.Go(func() {
		r := rand.New(rand.NewPCG(1, 1))
		for wait(over, randomTime(r, 500*time.Millisecond, 2*time.Second)) == nil {
			of := f.workers[1:]
			if r.IntN(4) == 0 {
				of = f.coordinators[1:]
			}
			if _, err := f.replace(ctx, r, &of, syscall.SIGKILL); err == nil {
				killed.Add(1)
			}
		}
	})
	busy.Go(func() {
		for wait(over, time.Second) == nil {
			if v, err := f.sample(over); err == nil {
				v.at = time.Since(begin)
				samples = append(samples, v)
			}
		}
	})
	jobs, err := s.train(over, ctx, c)
	cancel()
	busy.Wait()
	if err == nil {
		err = f.clean(ctx)
	}
	fmt.Fprintf(os.Stdout, "%d jobs, %d steps, %d processes killed, %d samples\n", jobs, c.total(), killed.Load(), len(samples))
	if err == nil {
		err = flat(samples)
	}
	return errors.Join(err, paint(s.Out, samples))
}

// train submits one job after another until over ends. It waits for the end of the last
// one.
func (s *soak) train(over, ctx context.Context, c *client) (jobs int, err error) {
	for over.Err() == nil {
		w := works[jobs%len(works)]
		want, err := w.reference(ctx)
		if err != nil {
			return jobs, err
		}
		var submitted struct{ ID job.ID }
		if err := c.ask(ctx, "tributary.jobs.submit", w.spec, &submitted); err != nil {
			return jobs, err
		}
		r, err := c.ended(ctx, submitted.ID)
		if err != nil {
			return jobs, err
		}
		if r.State != job.Succeeded || r.Outcome.ParametersSHA256 != want {
			return jobs, fmt.Errorf("job %d, %s: %s %s %+v, want parameters_sha256 %s", jobs, w.name, r.State, r.Error, r.Outcome, want)
		}
		jobs++
	}
	return jobs, nil
}

// sample takes a sample.
func (f *fleet) sample(ctx context.Context) (s sample, err error) {
	keys, err := f.redis.keys(ctx)
	if err != nil {
		return s, err
	}
	s.redisKeys = float64(keys)
	info, err := f.redis.client.Info(ctx, "memory").Result()
	if err != nil {
		return s, err
	}
	s.redisBytes = field(info, "used_memory:")
	err = f.stream(ctx, func(js jetstream.JetStream) error {
		for st := range js.ListStreams(ctx).Info() {
			s.streams++
			s.consumers += float64(st.State.Consumers)
			s.messages += float64(st.State.Msgs)
		}
		return nil
	})
	s.coordinatorBytes, s.coordinatorRoutines = f.coordinators[0].holds(ctx)
	s.workerBytes, s.workerRoutines = f.workers[0].holds(ctx)
	return s, err
}

// holds returns a process's resident bytes and number of goroutines, from its metrics.
func (m *member) holds(ctx context.Context) (bytes, routines float64) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.http+"/metrics", http.NoBody)
	if err != nil {
		return 0, 0
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, 0
	}
	defer answer.Body.Close()
	var text strings.Builder
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
	}
	return field(text.String(), "\nprocess_resident_memory_bytes "), field(text.String(), "\ngo_goroutines ")
}

// field reads the number after a name.
func field(text, name string) float64 {
	_, after, _ := strings.Cut(text, name)
	word, _, _ := strings.Cut(after, "\n")
	v, _ := strconv.ParseFloat(strings.TrimSpace(word), 64) // 0 if the field is missing
	return v
}

// flat compares the second quarter of the samples with the last one: a leak shows as
// growth.
func flat(samples []sample) error {
	if len(samples) < 16 {
		return nil // too short for a comparison
	}
	n := len(samples)
	early, late := samples[n/4:n/2], samples[3*n/4:]
	var faults []error
	for _, g := range gauges {
		before, after := highest(early, g.of), highest(late, g.of)
		if allowed := before*1.5 + g.slack; after > allowed {
			faults = append(faults, fmt.Errorf("%s grew from %.4g to %.4g; at most %.4g would be flat", g.name, before, after, allowed))
		}
	}
	return errors.Join(faults...)
}

func highest(of []sample, value func(sample) float64) float64 {
	top := 0.0
	for _, s := range of {
		top = max(top, value(s))
	}
	return top
}
