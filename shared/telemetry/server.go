package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tributary/shared/job"
)

// The limits of the HTTP server: its clients are probes and scrapers.
const (
	headerTimeout   = 5 * time.Second
	answerTimeout   = 15 * time.Second
	idleTimeout     = time.Minute
	shutdownTimeout = 2 * time.Second
	maxHeaderBytes  = 16 << 10
	maxScrapes      = 4 // at the same time; more get 503
)

// Server answers /healthz (the process is alive), /readyz (every check passes; otherwise
// 503 and the reason) and /metrics.
type Server struct {
	listener net.Listener
	http     *http.Server
	mux      *http.ServeMux
}

// Listen binds addr (host:port; port 0 takes a free one). So a program finds out that the
// address is in use before it starts its work. The caller must call Serve afterwards.
func Listen(ctx context.Context, addr string, metrics prometheus.Gatherer, checks ...Check) (*Server, error) {
	if strings.ContainsAny(addr, "@/") { // an address for clients; it may contain secrets
		return nil, fmt.Errorf("listen for health and metrics: want HOST:PORT, without a scheme, a path or a user: %w", job.ErrInvalid)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for health and metrics on %q: %w", addr, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", aliveHandler)
	mux.HandleFunc("GET /readyz", readyHandler(checks))
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	return &Server{listener: listener, mux: mux, http: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       answerTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}}, nil
}

// Handle adds a page. It must be called before Serve.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Addr returns the bound address.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers requests until ctx ends. Then it gives the answers in progress a short
// time to finish and returns nil. If it ends for any other reason, it returns an error.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve health and metrics: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if ended := <-failed; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	if err != nil {
		return fmt.Errorf("stop serving health and metrics: %w", err)
	}
	return nil
}
