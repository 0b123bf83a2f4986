package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Group owns goroutines and waits for them. Work is what the program is there
// for; Background serves the work (heartbeats, health, watches) and lives until
// the last of the work has returned.
//
// Invariant: when Wait returns, no goroutine of the group is running.
type Group struct {
	soft, hard       context.Context //nolint:containedctx // handed to the group's goroutines, which it outlives
	endSoft, endHard context.CancelCauseFunc

	work, background sync.WaitGroup
	once             sync.Once
	err              error
}

// errWorkDone ends the background once the work has returned.
var errWorkDone = errors.New("the work is done")

// NewGroup returns a group whose goroutines run under soft and hard, as given
// by Run. Wait must be called.
func NewGroup(soft, hard context.Context) *Group {
	g := &Group{}
	g.soft, g.endSoft = context.WithCancelCause(soft)
	g.hard, g.endHard = context.WithCancelCause(hard)
	return g
}

// Work runs f. At the end of soft f takes nothing new and returns when it has
// finished what it holds; at the end of hard it returns at once. It may be
// called from a goroutine of the group, but not after Wait has returned.
func (g *Group) Work(name string, f func(soft, hard context.Context) error) {
	g.work.Go(func() { g.finish(name, f(g.soft, g.hard)) })
}

// Background runs f until ctx ends: after the last Work has returned, or
// with hard.
func (g *Group) Background(name string, f func(ctx context.Context) error) {
	g.background.Go(func() { g.finish(name, f(g.hard)) })
}

// Wait waits for the work, ends the background and waits for it too. It
// returns the first error, with the name of the goroutine it came from. The
// first error ends both contexts of the group. A context's error after the
// group's contexts have ended is no error.
func (g *Group) Wait() error {
	g.work.Wait()
	g.endHard(errWorkDone)
	g.background.Wait()
	g.endSoft(errWorkDone)
	return g.err
}

// finish notes how a goroutine ended.
func (g *Group) finish(name string, err error) {
	ended := g.soft.Err() != nil || g.hard.Err() != nil
	if err == nil || ended && errors.Is(err, context.Canceled) {
		return
	}
	g.once.Do(func() {
		g.err = fmt.Errorf("%s: %w", name, err)
		g.endSoft(g.err)
		g.endHard(g.err)
	})
}
