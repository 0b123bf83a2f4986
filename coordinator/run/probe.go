package run

import (
	"context"
	"maps"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// askEvery is how often a coordinator that drives jobs checks the workers' connections.
// It is the time after which another worker gets the task of a killed worker. askEach
// lengthens the interval for a large fleet, so that the checks cost at most about a
// thousand requests per second.
const (
	askEvery   = 100 * time.Millisecond
	askEach    = time.Millisecond
	askTimeout = 950 * time.Millisecond
)

// maxStrangers bounds the unconfirmed workers that the coordinator probes at a time.
const maxStrangers = 1024

// Beat receives a worker's heartbeat. The heartbeat of an unknown worker is a hint: the
// worker counts after a probe has confirmed its connection.
func (s *Service) Beat(b notice.Beat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Gone == nil || s.fleet.Has(b.Worker) {
		s.beat(b)
		return
	}
	_, known := s.strangers[b.Worker]
	switch {
	case b.Leaving:
		delete(s.strangers, b.Worker)
	case b.Validate() == nil && (known || len(s.strangers) < maxStrangers):
		s.strangers[b.Worker] = b
	}
}

// beat counts a worker. The caller holds s.mu.
func (s *Service) beat(b notice.Beat) {
	if s.fleet.Beat(s.now(), b) {
		s.tellFleet()
	}
}

// probeStrangers checks the connections of unconfirmed workers. The caller holds s.mu.
func (s *Service) probeStrangers(ctx context.Context) {
	for _, worker := range slices.Sorted(maps.Keys(s.strangers)) {
		s.ask(ctx, worker, s.greet)
	}
}

// ask checks a worker's connection and calls answer with whether it is gone. It does
// nothing if a check is in flight. The caller holds s.mu.
func (s *Service) ask(ctx context.Context, worker string, answer func(worker string, gone bool)) {
	if s.asking[worker] {
		return
	}
	s.asking[worker] = true
	s.background("ask whether a worker is there", job.Ref{}, func() error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		answer(worker, s.cfg.Gone(ctx, worker))
		return nil
	})
}

// greet handles the answer about an unconfirmed worker.
func (s *Service) greet(worker string, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, waits := s.strangers[worker]
	delete(s.strangers, worker)
	delete(s.asking, worker)
	if waits && !gone {
		s.beat(b)
	}
}

// probeWorkers checks every worker that has no check in flight. The caller holds s.mu.
func (s *Service) probeWorkers(ctx context.Context) {
	workers := s.fleet.Names()
	every := max(askEvery, time.Duration(len(workers))*askEach)
	if s.cfg.Gone == nil || len(s.jobs) == 0 || s.now()-s.probed < every {
		return
	}
	s.probed = s.now()
	for _, worker := range workers {
		s.ask(ctx, worker, s.probe)
	}
}

// probe handles the answer about a worker. It drops a worker that is gone at once, and
// every job checks the work that this worker may have had.
func (s *Service) probe(worker string, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asking, worker)
	if !gone || !s.fleet.Remove(worker) {
		return
	}
	s.cfg.Log.Info().Str("worker", worker).Msg("a worker's connection is gone")
	s.tellFleet()
	for _, d := range s.jobs {
		d.tell(workerGone{})
	}
}
