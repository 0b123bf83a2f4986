package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/nats-io/nuid"
	"golang.org/x/sync/semaphore"

	"tributary/shared/job"
	"tributary/shared/lifecycle"
)

// ServiceConfig describes a service to programs that look for one.
type ServiceConfig struct {
	Name        string // letters, digits, '-' and '_'
	Version     string // SemVer
	Description string
	Metadata    map[string]string
	// Concurrent is how many requests an endpoint handles at the same time; default 16. At
	// each endpoint, MaxWaiting more requests may wait. The service refuses others with
	// 503.
	Concurrent int
	MaxWaiting int // default 256
	// MaxBytes bounds the bytes of all requests that wait or are being handled, over all
	// endpoints; default 64 MiB. One endpoint may use three quarters of it. The service
	// refuses more with 503.
	MaxBytes int64
	Timeout  time.Duration // of one request; default 60 s
}

// Endpoint is a subject on which a service answers.
type Endpoint struct {
	Name    string // letters, digits, '-' and '_'
	Subject string // may contain wildcards
	// Queue is the name of the group whose members share the requests; default "q". Every
	// instance of the service is a member.
	Queue    string
	Metadata map[string]string // for people: a description of the request and the reply
	// MaxRequest bounds one request in bytes; default 1 MiB. The service refuses
	// a larger one with 400 before it waits.
	MaxRequest int
	// ReplyOnly: the endpoint has no effect except its reply, so the service discards a
	// request without a reply subject.
	ReplyOnly bool
	// Handler answers a request. The class of its error determines the code of the reply.
	Handler func(ctx context.Context, r Request) ([]byte, error)
}

// Request is a request that arrived at an endpoint.
type Request struct {
	Subject string // on which it arrived
	Data    []byte
}

// Service answers requests until Stop. It speaks the protocol of NATS services (ADR-32), so
// that `nats micro` shows it.
//
// It uses only the types of package micro, not micro's own service: that calls an
// endpoint's handler for one request at a time, and its statistics do not count replies
// that are sent later.
type Service struct {
	c        *Conn
	cfg      ServiceConfig
	id       string
	started  time.Time
	ends     []*endpoint
	asked    []*nats.Subscription // subscriptions of the endpoints
	about    []*nats.Subscription // subscriptions of discovery
	bytes    *semaphore.Weighted  // bytes of the requests that wait or are being handled
	drained  sync.WaitGroup       // one for each subscription of an endpoint
	stopping chan struct{}        // closed when no more requests come
	working  sync.WaitGroup       // one for each endpoint and for each request that is being handled
	stop     sync.Once
	cancel   context.CancelFunc // ends every request's context
}

// endpoint is the running state of an Endpoint.
type endpoint struct {
	Endpoint
	waiting chan *nats.Msg
	slots   chan struct{}       // one for each request that is being handled
	bytes   *semaphore.Weighted // bytes of the endpoint's requests that wait or are being handled

	mu    sync.Mutex
	stats micro.EndpointStats
}

// Bounds of the requests that the client library holds for an endpoint before arrive gets
// them. More are lost. That happens only when the process cannot even refuse requests.
const (
	pendingRequests = 4096
	pendingBytes    = 8 << 20 // or one message of the server's max_payload
)

// announceTimeout bounds the wait until the server has a new service's subscriptions.
const announceTimeout = 5 * time.Second

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Serve starts a service.
func (c *Conn) Serve(cfg ServiceConfig, endpoints ...Endpoint) (*Service, error) {
	if !namePattern.MatchString(cfg.Name) || cfg.Version == "" {
		return nil, fmt.Errorf("serve: name %q and version %q: want a name of letters, digits, '-' and '_', and a version: %w", cfg.Name, cfg.Version, job.ErrInvalid)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Service{
		c: c, cfg: cfg, id: nuid.Next(), started: time.Now().UTC(),
		stopping: make(chan struct{}), cancel: cancel,
	}
	s.cfg.Concurrent = positive(cfg.Concurrent, 16)
	s.cfg.MaxBytes = positive(cfg.MaxBytes, 64<<20)
	s.bytes = semaphore.NewWeighted(s.cfg.MaxBytes)
	s.cfg.MaxWaiting = positive(cfg.MaxWaiting, 256)
	s.cfg.Timeout = positive(cfg.Timeout, time.Minute)
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
	if c.Connected() {
		_ = c.nc.FlushTimeout(announceTimeout) // best effort: after a reconnect the client subscribes again
	}
	return s, nil
}

func positive[T int | int64 | time.Duration](v, fallback T) T {
	if v > 0 {
		return v
	}
	return fallback
}

// add starts an endpoint: requests wait in its queue until a slot is free.
func (s *Service) add(ctx context.Context, cfg Endpoint) error {
	if !namePattern.MatchString(cfg.Name) || cfg.Handler == nil {
		return fmt.Errorf("want a name of letters, digits, '-' and '_', and a handler: %w", job.ErrInvalid)
	}
	if cfg.Queue == "" {
		cfg.Queue = micro.DefaultQueueGroup
	}
	cfg.MaxRequest = positive(cfg.MaxRequest, 1<<20)
	e := &endpoint{
		Endpoint: cfg,
		waiting:  make(chan *nats.Msg, s.cfg.MaxWaiting),
		slots:    make(chan struct{}, s.cfg.Concurrent),
		bytes:    semaphore.NewWeighted(s.cfg.MaxBytes / 4 * 3),
	}
	e.stats = micro.EndpointStats{Name: e.Name, Subject: e.Subject, QueueGroup: e.Queue}
	sub, err := s.c.nc.QueueSubscribe(e.Subject, e.Queue, func(m *nats.Msg) { s.arrive(e, m) })
	if err != nil {
		return classify(err)
	}
	s.ends = append(s.ends, e)
	s.drained.Add(1)
	sub.SetClosedHandler(func(string) { s.drained.Done() })
	s.asked = append(s.asked, sub)
	s.working.Go(func() { s.dispatch(ctx, e) })
	return classify(sub.SetPendingLimits(pendingRequests, int(max(pendingBytes, s.c.nc.MaxPayload()))))
}

// arrive adds a request to the endpoint's queue, or refuses it. It does not block.
func (s *Service) arrive(e *endpoint, m *nats.Msg) {
	err := s.admit(e, m)
	if err == nil {
		select {
		case e.waiting <- m:
			return
		default:
			s.release(e, m)
			err = fmt.Errorf("too many requests are waiting; try again later: %w", job.ErrFull)
		}
	}
	s.finish(e, m, time.Now(), nil, err)
}

// admit reserves the bytes of a request. release frees them.
func (s *Service) admit(e *endpoint, m *nats.Msg) error {
	switch n := int64(m.Size()); {
	case m.Reply == "" && e.ReplyOnly:
		return fmt.Errorf("the request has no reply subject: %w", job.ErrInvalid)
	case len(m.Data) > e.MaxRequest:
		return fmt.Errorf("request of %d bytes: want at most %d: %w", len(m.Data), e.MaxRequest, job.ErrInvalid)
	case !e.bytes.TryAcquire(n):
	case !s.bytes.TryAcquire(n):
		e.bytes.Release(n)
	default:
		return nil
	}
	return fmt.Errorf("too many bytes of requests are waiting; try again later (at most %d, three quarters of them on one subject): %w", s.cfg.MaxBytes, job.ErrFull)
}

func (s *Service) release(e *endpoint, m *nats.Msg) {
	n := int64(m.Size())
	e.bytes.Release(n)
	s.bytes.Release(n)
}

// dispatch starts a goroutine for each request of an endpoint, as slots become free, until
// the service stops and no request is left.
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

// start waits for a free slot and then handles a request in its own goroutine.
func (s *Service) start(ctx context.Context, e *endpoint, m *nats.Msg) {
	e.slots <- struct{}{}
	s.working.Go(func() {
		defer func() { <-e.slots }()
		defer s.release(e, m)
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

// handle calls the handler. It logs a panic of the handler, or a panic that the handler
// returns as an error. The requester gets no detail of it.
func (s *Service) handle(ctx context.Context, e *endpoint, m *nats.Msg) (data []byte, err error) {
	what := "the endpoint " + e.Name
	err = lifecycle.Contain(what, func() error {
		data, err = e.Handler(ctx, Request{Subject: m.Subject, Data: m.Data})
		return err
	})
	if s.c.logPanic(what, err) {
		return nil, errPanic
	}
	return data, err
}

// Stop accepts no more requests, answers those that have arrived, and returns when all are
// done. If ctx ends first, the contexts of the requests end.
func (s *Service) Stop(ctx context.Context) {
	s.stop.Do(func() {
		defer context.AfterFunc(ctx, s.cancel)()
		for _, sub := range append(s.asked, s.about...) {
			if err := sub.Drain(); err != nil {
				_ = sub.Unsubscribe() // without a connection, the subscription is gone too
			}
		}
		s.awaitDrained(ctx)
		close(s.stopping)
		s.working.Wait()
		s.cancel()
	})
}

// awaitDrained waits until the last requests have arrived.
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
