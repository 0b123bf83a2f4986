package run

import (
	"context"
	"maps"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// probeWorkersEvery is how often a coordinator that drives jobs checks the workers'
// connections. It is the time after which another worker gets the task of a killed
// worker. probeEach lengthens the interval for a large fleet, so that the checks cost at
// most about a thousand requests per second.
const (
	probeWorkersEvery  = 100 * time.Millisecond
	probeEach          = time.Millisecond
	probeWorkerTimeout = 950 * time.Millisecond
)

// maxUnconfirmed bounds the unconfirmed workers that the coordinator probes at a time.
const maxUnconfirmed = 1024

// Beat receives a worker's heartbeat. The heartbeat of an unknown worker is a hint: the
// worker counts after a probe has confirmed its connection.
func (s *Service) Beat(b notice.Beat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Gone == nil || s.fleet.Has(b.Worker) {
		s.beat(b)
		return
	}
	_, known := s.unconfirmed[b.Worker]
	switch {
	case b.Leaving:
		delete(s.unconfirmed, b.Worker)
	case b.Validate() == nil && (known || len(s.unconfirmed) < maxUnconfirmed):
		s.unconfirmed[b.Worker] = b
	}
}

// beat counts a worker. The caller holds s.mu.
func (s *Service) beat(b notice.Beat) {
	if s.fleet.Beat(s.now(), b) {
		s.notifyDrivers()
	}
}

// probeUnconfirmed checks the connections of unconfirmed workers. The caller holds s.mu.
func (s *Service) probeUnconfirmed(ctx context.Context) {
	for _, worker := range slices.Sorted(maps.Keys(s.unconfirmed)) {
		s.probeWorker(ctx, worker, s.confirmWorker)
	}
}

// probeWorker checks a worker's connection and calls answer with whether it is gone. It
// does nothing if a check is in flight. The caller holds s.mu.
func (s *Service) probeWorker(ctx context.Context, worker string, answer func(worker string, gone bool)) {
	if s.probing[worker] {
		return
	}
	s.probing[worker] = true
	s.background("ask whether a worker is there", job.Ref{}, func() error {
		ctx, cancel := context.WithTimeout(ctx, probeWorkerTimeout)
		defer cancel()
		answer(worker, s.cfg.Gone(ctx, worker))
		return nil
	})
}

// confirmWorker handles the answer about an unconfirmed worker.
func (s *Service) confirmWorker(worker string, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, waits := s.unconfirmed[worker]
	delete(s.unconfirmed, worker)
	delete(s.probing, worker)
	if waits && !gone {
		s.beat(b)
	}
}

// probeWorkers checks every worker that has no check in flight. The caller holds s.mu.
func (s *Service) probeWorkers(ctx context.Context) {
	workers := s.fleet.Names()
	every := max(probeWorkersEvery, time.Duration(len(workers))*probeEach)
	if s.cfg.Gone == nil || len(s.jobs) == 0 || s.now()-s.lastProbe < every {
		return
	}
	s.lastProbe = s.now()
	for _, worker := range workers {
		s.probeWorker(ctx, worker, s.probed)
	}
}

// probed handles the answer about a worker. It drops a worker that is gone at once, and
// every job checks the work that this worker may have had.
func (s *Service) probed(worker string, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.probing, worker)
	if !gone || !s.fleet.Remove(worker) {
		return
	}
	s.cfg.Log.Info().Str("worker", worker).Msg("a worker's connection is gone")
	s.notifyDrivers()
	for _, d := range s.jobs {
		d.notify(workerGone{})
	}
}
