package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// none means no signals, so that a test's bubble has no goroutine of os/signal.
var none = []os.Signal{}

func TestSignalsStopInTwoStages(t *testing.T) {
	var stages []error
	c := Config{
		Grace:   time.Hour,
		Signals: []os.Signal{syscall.SIGUSR1},
		OnStop:  func(stage error) { stages = append(stages, stage) },
	}
	err := Run(t.Context(), c, func(soft, hard context.Context) error {
		self := func() { require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR1)) }
		self()
		<-soft.Done()
		require.NoError(t, hard.Err())
		require.ErrorIs(t, context.Cause(soft), ErrStopped)
		self()
		<-hard.Done()
		return hard.Err()
	})
	require.ErrorIs(t, err, ErrHurried)
	require.EqualError(t, err, ErrHurried.Error())
	require.Equal(t, []error{ErrStopped, ErrHurried}, stages)
	require.Equal(t, 128+int(syscall.SIGUSR1), ExitStatus(err))
}

// The error of a program that a signal stopped keeps its text, and gives the status that
// shells know.
func TestExitStatus(t *testing.T) {
	c := Config{Signals: []os.Signal{syscall.SIGUSR2}}
	for name, e := range map[string]struct {
		main func(soft context.Context) error
		text string
		want int
	}{
		"drained":   {func(context.Context) error { return nil }, "", 0},
		"cut":       {func(soft context.Context) error { return soft.Err() }, ErrStopped.Error(), 128 + int(syscall.SIGUSR2)},
		"explained": {func(soft context.Context) error { return fmt.Errorf("job a: %w\nto go on: b", context.Cause(soft)) }, "job a: stopped on request\nto go on: b", 128 + int(syscall.SIGUSR2)},
		"failed":    {func(context.Context) error { return errors.New("no route") }, "no route", 1},
	} {
		t.Run(name, func(t *testing.T) {
			err := Run(t.Context(), c, func(soft, _ context.Context) error {
				require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR2))
				<-soft.Done()
				return e.main(soft)
			})
			if e.text != "" {
				require.EqualError(t, err, e.text)
			}
			require.Equal(t, e.want, ExitStatus(err))
		})
	}
	require.Equal(t, 1, ExitStatus(ErrStopped), "without a signal")
}

func TestGrace(t *testing.T) {
	for _, c := range []struct{ grace, want time.Duration }{
		{grace: 3 * time.Second, want: 3 * time.Second},
		{grace: 0, want: DefaultGrace},
		{grace: -1, want: 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancel(t.Context())
			start := time.Now()
			err := Run(parent, Config{Grace: c.grace, Signals: none}, func(soft, hard context.Context) error {
				cancel()
				<-hard.Done()
				require.Error(t, soft.Err())
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, c.want, time.Since(start))
		})
	}
}

func TestRunReturnsWhatMainDid(t *testing.T) {
	failure := errors.New("no route")
	for name, c := range map[string]struct {
		main func(soft context.Context, stop func()) error
		want error
	}{
		"finished":             {func(context.Context, func()) error { return nil }, nil},
		"failed":               {func(context.Context, func()) error { return failure }, failure},
		"cancelled by itself":  {func(context.Context, func()) error { return context.Canceled }, context.Canceled},
		"drained after a stop": {func(soft context.Context, stop func()) error { stop(); <-soft.Done(); return nil }, nil},
		"cut by a stop":        {func(soft context.Context, stop func()) error { stop(); <-soft.Done(); return soft.Err() }, ErrStopped},
		"failed after a stop":  {func(soft context.Context, stop func()) error { stop(); <-soft.Done(); return failure }, failure},
	} {
		t.Run(name, func(t *testing.T) {
			parent, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := Run(parent, Config{Signals: none}, func(soft, _ context.Context) error { return c.main(soft, cancel) })
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestGroupEndsBackgroundAfterWork(t *testing.T) {
	soft, stop := context.WithCancel(t.Context())
	g := NewGroup(soft, t.Context())
	var order []string
	g.Background("heartbeat", func(ctx context.Context) error {
		<-ctx.Done()
		order = append(order, "heartbeat")
		return ctx.Err()
	})
	g.Work("pull", func(soft, hard context.Context) error {
		<-soft.Done()
		require.NoError(t, hard.Err())
		order = append(order, "pull")
		return soft.Err()
	})
	stop()
	require.NoError(t, g.Wait())
	require.Equal(t, []string{"pull", "heartbeat"}, order)
}

func TestGroupFirstErrorEndsAll(t *testing.T) {
	failure := errors.New("address in use")
	for name, fail := range map[string]func(g *Group){
		"background": func(g *Group) { g.Background("health", func(context.Context) error { return failure }) },
		"work":       func(g *Group) { g.Work("health", func(_, _ context.Context) error { return failure }) },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewGroup(t.Context(), t.Context())
			g.Work("pull", func(soft, hard context.Context) error {
				<-soft.Done()
				<-hard.Done()
				return errors.New("second")
			})
			g.Background("heartbeat", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			fail(g)
			err := g.Wait()
			require.ErrorIs(t, err, failure)
			require.EqualError(t, err, "health: address in use")
		})
	}
}

func TestGroupReportsCancelledThatNobodyAskedFor(t *testing.T) {
	g := NewGroup(t.Context(), t.Context())
	g.Work("pull", func(_, _ context.Context) error { return context.Canceled })
	require.ErrorIs(t, g.Wait(), context.Canceled)
}
