package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Group owns goroutines and waits for them. Work is what the program is for. Background
// supports the work (heartbeats, health, watches) and runs until the last Work has
// returned.
//
// Invariant: when Wait returns, no goroutine of the group is running.
type Group struct {
	soft, hard       context.Context //nolint:containedctx // handed to the group's goroutines, which it outlives
	endSoft, endHard context.CancelCauseFunc

	work, background sync.WaitGroup
	once             sync.Once
	err              error
}

// errWorkDone is the cause that ends the background after the work has returned.
var errWorkDone = errors.New("the work is done")

// NewGroup returns a group whose goroutines run under soft and hard, the contexts from
// Run. The caller must call Wait.
func NewGroup(soft, hard context.Context) *Group {
	g := &Group{}
	g.soft, g.endSoft = context.WithCancelCause(soft)
	g.hard, g.endHard = context.WithCancelCause(hard)
	return g
}

// Work runs f in a goroutine. When soft ends, f takes nothing new, finishes what it
// holds, and returns. When hard ends, f returns at once. A goroutine of the group may
// call Work, but Work must not be called after Wait has returned.
func (g *Group) Work(name string, f func(soft, hard context.Context) error) {
	g.work.Go(func() { g.finish(name, f(g.soft, g.hard)) })
}

// Background runs f in a goroutine until its ctx ends. That is after the last Work has
// returned, or when hard ends.
func (g *Group) Background(name string, f func(ctx context.Context) error) {
	g.background.Go(func() { g.finish(name, f(g.hard)) })
}

// Wait waits for the work, then ends the background and waits for it too. It returns the
// first error, with the name of its goroutine. The first error ends both contexts of the
// group. A context's error does not count after the group's contexts have ended.
func (g *Group) Wait() error {
	g.work.Wait()
	g.endHard(errWorkDone)
	g.background.Wait()
	g.endSoft(errWorkDone)
	return g.err
}

// finish records how a goroutine ended.
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
