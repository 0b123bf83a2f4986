package broker

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/broker/embedded"
	"tributary/shared/broker/embedded/embeddedtest"
	"tributary/shared/job"
)

// lines is a log whose lines tests can wait for.
type lines struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func newLines() *lines { return &lines{wrote: make(chan struct{}, 1000)} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.wrote <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestConnectWaitsForTheServer(t *testing.T) {
	s := &server{embeddedtest.New(t, embedded.Config{})}
	log := newLines()
	type result struct {
		c   *Conn
		err error
	}
	got := make(chan result, 1)
	go func() {
		c, err := Connect(t.Context(), Config{InProcess: s}, zerolog.New(log))
		got <- result{c, err}
	}()
	receive(t, log.wrote)
	require.Contains(t, log.String(), "NATS cannot be reached; trying again until it can")

	s.Start()
	r := receive(t, got)
	require.NoError(t, r.err)
	t.Cleanup(r.c.Close)
	require.True(t, r.c.Connected())
	require.NoError(t, r.c.Flush(t.Context()))
	require.Equal(t, 1, bytes.Count([]byte(log.String()), []byte("cannot be reached")), "it is said once")
}

func TestConnectEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := Connect(ctx, Config{URL: "nats://someone:secret@127.0.0.1:1"}, zerolog.Nop())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotContains(t, err.Error(), "secret")
}

func TestConnectRefusesWhatCannotWork(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	require.NoError(t, os.WriteFile(junk, []byte("not what is wanted"), 0o600))
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"no credentials file": {Config{Login: Login{Credentials: access.File(filepath.Join(dir, "none"))}}, "credentials file"},
		"no nkey file":        {Config{Login: Login{NKey: access.File(filepath.Join(dir, "none"))}}, "nkey file"},
		"bad nkey file":       {Config{Login: Login{NKey: access.File(junk)}}, "nkey file"},
		"two ways":            {Config{Login: Login{User: "a", Token: "b"}}, "at most one of them"},
		"no ca file":          {Config{Login: Login{TLSCA: access.File(filepath.Join(dir, "none"))}}, "ca file"},
		"cert without key":    {Config{Login: Login{TLSCert: access.File(junk)}}, "cert and key go together"},
		"no cert file":        {Config{Login: Login{TLSCert: access.File(filepath.Join(dir, "none")), TLSKey: access.File(junk)}}, "cert file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Connect(t.Context(), test.cfg, zerolog.Nop())
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestReconnect(t *testing.T) {
	s, c := open(t, SetupConfig{})
	restarted := make(chan struct{})
	go func() { defer close(restarted); s.Restart() }()
	for restarting := true; restarting; {
		select {
		case <-restarted:
			restarting = false
		default:
		}
		require.NoError(t, c.Flush(t.Context()), "before, during and after the restart")
	}
	for _, err := range c.Records().All(t.Context()) {
		require.NoError(t, err, "what is on disk is there again")
	}
}

func TestSetupIsIdempotentAndChangesLimits(t *testing.T) {
	_, c := open(t, SetupConfig{})
	require.NoError(t, c.Setup(t.Context(), SetupConfig{}))
	require.NoError(t, c.Setup(t.Context(), SetupConfig{TaskBytes: 8 << 20, BlobBytes: 1 << 30, EventAge: time.Hour, LeaseTTL: time.Second}))
	stream, err := c.js.Stream(t.Context(), TaskStream)
	require.NoError(t, err)
	require.EqualValues(t, 8<<20, stream.CachedInfo().Config.MaxBytes)
	require.Positive(t, stream.CachedInfo().Config.FirstSeq)
}

func TestSetupSaysWhatIsMissing(t *testing.T) {
	t.Run("JetStream", func(t *testing.T) {
		c := startServer(t, embedded.Config{NoJetStream: true}).connect(t)
		err := c.Setup(t.Context(), SetupConfig{})
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, "-js")
	})
	t.Run("storage", func(t *testing.T) {
		c := startServer(t, embedded.Config{Store: 1 << 20}).connect(t)
		err := c.Setup(t.Context(), SetupConfig{})
		require.ErrorIs(t, err, job.ErrFull)
		require.ErrorContains(t, err, "raise JetStream's")
	})
	t.Run("memory", func(t *testing.T) {
		c := startServer(t, embedded.Config{Memory: 1 << 20}).connect(t)
		require.ErrorIs(t, c.Setup(t.Context(), SetupConfig{}), job.ErrFull)
	})
	t.Run("answer", func(t *testing.T) {
		s := startServer(t, embedded.Config{})
		c := s.connect(t)
		s.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err := c.Setup(ctx, SetupConfig{})
		require.Error(t, err)
		require.True(t, errors.Is(err, context.DeadlineExceeded), err)
	})
}
