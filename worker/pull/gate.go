package pull

import (
	"context"
	"sync"
	"time"

	"tributary/shared/queue"
)

// Gate stops slots from taking tasks for a while. Slots finish the tasks that they hold.
// The zero value is open.
type Gate struct {
	mu      sync.Mutex
	opens   time.Time                    // when the gate opens, or opened
	waiting map[*byte]context.CancelFunc // by slot that waits for a task
}

// Shut shuts the gate for the duration d from now on. If the gate is already shut for
// longer, Shut does not change that.
func (g *Gate) Shut(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.opens) {
		g.opens = until
	}
	for _, stop := range g.waiting {
		stop()
	}
}

// IsShut reports whether slots may take no tasks now.
func (g *Gate) IsShut() bool { return g.left() > 0 }

// left returns how long the gate stays shut; zero or less means that it is open.
func (g *Gate) left() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Until(g.opens)
}

// enter returns a context that ends when the gate is shut. The caller calls leave when it
// no longer needs the context.
func (g *Gate) enter(ctx context.Context) (inside context.Context, leave func()) {
	inside, stop := context.WithCancel(ctx)
	slot := new(byte)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == nil {
		g.waiting = map[*byte]context.CancelFunc{}
	}
	g.waiting[slot] = stop
	if time.Now().Before(g.opens) {
		stop()
	}
	return inside, func() {
		g.mu.Lock()
		delete(g.waiting, slot)
		g.mu.Unlock()
		stop()
	}
}

// next takes the next task from the subscription while the gate is open.
func next(ctx context.Context, sub queue.Subscription, g *Gate) (queue.Delivery, error) {
	if g == nil {
		return sub.Next(ctx)
	}
	for {
		if wait := g.left(); wait > 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(wait):
			}
			continue
		}
		inside, leave := g.enter(ctx)
		d, err := sub.Next(inside)
		shut := inside.Err() != nil
		leave()
		if err == nil || ctx.Err() != nil || !shut {
			return d, err
		}
	}
}
