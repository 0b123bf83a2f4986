package run

import (
	"context"
	"maps"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// askEvery is how often a coordinator that drives jobs asks whether the workers'
// connections are there: the time after which a killed worker's task goes to another.
// A large fleet is asked less often, so that this costs no more than some thousand
// requests a second.
const (
	askEvery   = 100 * time.Millisecond
	askEach    = time.Millisecond
	askTimeout = 950 * time.Millisecond
)

// maxStrangers bounds the workers that are probed at a time before they count.
const maxStrangers = 1024

// Beat takes a worker's heartbeat. A heartbeat of a worker that is not known is a hint: the
// worker counts once its connection is confirmed.
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

// beat counts a worker. s.mu is held.
func (s *Service) beat(b notice.Beat) {
	if s.fleet.Beat(s.now(), b) {
		s.tellFleet()
	}
}

// probeStrangers asks for the connections of workers that do not count yet. s.mu is held.
func (s *Service) probeStrangers(ctx context.Context) {
	for _, worker := range slices.Sorted(maps.Keys(s.strangers)) {
		s.ask(ctx, worker, s.greet)
	}
}

// ask calls answer with whether a worker's connection is gone, unless that is being asked
// already. s.mu is held.
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

// greet notes the answer about a worker that does not count yet.
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

// probeWorkers asks about every worker that is not being asked about. s.mu is held.
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

// probe notes the answer about a worker. One that is gone is forgotten at once, and
// every job looks after the work that it may have had in hand.
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
