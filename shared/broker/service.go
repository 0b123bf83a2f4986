package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/nats-io/nuid"

	"tributary/shared/job"
)

// ServiceConfig describes a service to those who look for one.
type ServiceConfig struct {
	Name        string // letters, digits, '-' and '_'
	Version     string // SemVer
	Description string
	Metadata    map[string]string
	// Concurrent is how many requests are worked on at a time, over all
	// endpoints; default 16. As many again per endpoint may wait as MaxWaiting
	// says; more are refused with 503.
	Concurrent int
	MaxWaiting int           // default 256
	Timeout    time.Duration // of one request; default 60 s
}

// Endpoint is a subject on which a service answers.
type Endpoint struct {
	Name    string // letters, digits, '-' and '_'
	Subject string // may contain wildcards
	// Queue is the group whose members share the requests; default "q". Every
	// instance of the service takes part in it.
	Queue    string
	Metadata map[string]string // for people: what the request and the reply are
	// Handler answers a request. The class of its error decides the code.
	Handler func(ctx context.Context, r Request) ([]byte, error)
}

// Request is what an endpoint was asked.
type Request struct {
	Subject string // on which it arrived
	Data    []byte
}

// Service answers requests until Stop. It speaks the protocol of NATS services
// (ADR-32), so that `nats micro` shows it.
//
// micro's own service is not used, only its types: it calls an endpoint's
// handler for one request at a time, and its statistics know nothing of
// replies that are made later.
type Service struct {
	c        *Conn
	cfg      ServiceConfig
	id       string
	started  time.Time
	ends     []*endpoint
	asked    []*nats.Subscription // of the endpoints
	about    []*nats.Subscription // of discovery
	slots    chan struct{}        // one per request worked on
	drained  sync.WaitGroup       // one per subscription of an endpoint
	stopping chan struct{}        // closed when nothing more is coming
	working  sync.WaitGroup       // one per endpoint and per request worked on
	stop     sync.Once
	cancel   context.CancelFunc // ends every request's context
}

// endpoint is an Endpoint at work.
type endpoint struct {
	Endpoint
	waiting chan *nats.Msg

	mu    sync.Mutex
	stats micro.EndpointStats
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Serve starts a service.
func (c *Conn) Serve(cfg ServiceConfig, endpoints ...Endpoint) (*Service, error) {
	if !namePattern.MatchString(cfg.Name) || cfg.Version == "" {
		return nil, fmt.Errorf("serve: name %q and version %q: want a name of letters, digits, '-' and '_', and a version: %w", cfg.Name, cfg.Version, job.ErrInvalid)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Service{
		c: c, cfg: cfg, id: nuid.Next(), started: time.Now().UTC(),
		slots:    make(chan struct{}, positive(cfg.Concurrent, 16)),
		stopping: make(chan struct{}), cancel: cancel,
	}
	s.cfg.MaxWaiting = positive(cfg.MaxWaiting, 256)
	s.cfg.Timeout = time.Duration(positive(int(cfg.Timeout), int(time.Minute)))
	s.cfg.Metadata = maps.Clone(cfg.Metadata)
	for _, e := range endpoints {
		if err := s.add(ctx, e); err != nil {
			s.Stop(ctx)
			return nil, fmt.Errorf("serve %s: endpoint %q: %w", cfg.Name, e.Name, err)
		}
	}
	if err := s.announce(); err != nil {
		s.Stop(ctx)
		return nil, fmt.Errorf("serve %s: %w", cfg.Name, err)
	}
	return s, nil
}

func positive(v, fallback int) int {
	if v > 0 {
		return v
	}
	return fallback
}

// add starts an endpoint: what arrives waits in line, and is worked on when a
// slot is free.
func (s *Service) add(ctx context.Context, cfg Endpoint) error {
	if !namePattern.MatchString(cfg.Name) || cfg.Handler == nil {
		return fmt.Errorf("want a name of letters, digits, '-' and '_', and a handler: %w", job.ErrInvalid)
	}
	if cfg.Queue == "" {
		cfg.Queue = micro.DefaultQueueGroup
	}
	e := &endpoint{Endpoint: cfg, waiting: make(chan *nats.Msg, s.cfg.MaxWaiting)}
	e.stats = micro.EndpointStats{Name: e.Name, Subject: e.Subject, QueueGroup: e.Queue}
	sub, err := s.c.nc.QueueSubscribe(e.Subject, e.Queue, func(m *nats.Msg) {
		select {
		case e.waiting <- m:
		default:
			s.finish(e, m, time.Now(), nil, fmt.Errorf("too many requests are waiting: %w", job.ErrFull))
		}
	})
	if err != nil {
		return classify(err)
	}
	s.ends = append(s.ends, e)
	s.drained.Add(1)
	sub.SetClosedHandler(func(string) { s.drained.Done() })
	s.asked = append(s.asked, sub)
	s.working.Go(func() { s.dispatch(ctx, e) })
	return nil
}

// dispatch gives an endpoint's requests to goroutines, as slots permit, until
// the service stops and none is left.
func (s *Service) dispatch(ctx context.Context, e *endpoint) {
	for {
		select {
		case m := <-e.waiting:
			s.start(ctx, e, m)
			continue
		default:
		}
		select {
		case m := <-e.waiting:
			s.start(ctx, e, m)
		case <-s.stopping:
			if len(e.waiting) == 0 {
				return
			}
		}
	}
}

// start works on a request in a goroutine of its own, once a slot is free.
func (s *Service) start(ctx context.Context, e *endpoint, m *nats.Msg) {
	s.slots <- struct{}{}
	s.working.Go(func() {
		defer func() { <-s.slots }()
		s.serve(ctx, e, m)
	})
}

// serve answers one request.
func (s *Service) serve(ctx context.Context, e *endpoint, m *nats.Msg) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	start := time.Now()
	data, err := s.handle(ctx, e, m)
	s.finish(e, m, start, data, err)
}

var errPanic = errors.New("the request could not be handled because of an internal error")

// handle calls the handler; a panic becomes an error, and its trace is logged.
func (s *Service) handle(ctx context.Context, e *endpoint, m *nats.Msg) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.c.log.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Str("endpoint", e.Name).Msg("a request's handler panicked")
			data, err = nil, errPanic
		}
	}()
	return e.Handler(ctx, Request{Subject: m.Subject, Data: m.Data})
}

// Stop takes no more requests, answers those that have arrived, and returns
// when all is over. When ctx ends first, the contexts of the requests end.
func (s *Service) Stop(ctx context.Context) {
	s.stop.Do(func() {
		defer context.AfterFunc(ctx, s.cancel)()
		for _, sub := range append(s.asked, s.about...) {
			if err := sub.Drain(); err != nil {
				_ = sub.Unsubscribe() // the connection is gone: so is the subscription
			}
		}
		s.awaitDrained(ctx)
		close(s.stopping)
		s.working.Wait()
		s.cancel()
	})
}

// awaitDrained waits until the last requests have come in.
func (s *Service) awaitDrained(ctx context.Context) {
	if !s.c.Connected() {
		return
	}
	done := make(chan struct{})
	go func() { s.drained.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
