// Package monitor decides what follows from the evaluations of a job's validation split:
// which evaluation is the best, whether the job stops early, and how often the learning
// rate is reduced. The rules are those of Keras' callbacks EarlyStopping and
// ReduceLROnPlateau.
//
// It owns these decisions and nothing else. Replicas, package serial and the coordinator
// pass the evaluations to it, in order.
//
// Invariant: a decision is a pure function of the spec and of the evaluations before it. So
// every process that knows the same evaluations decides the same.
package monitor

import (
	"math"
	"slices"

	"tributary/shared/job"
)

// Monitor follows the evaluations of one job.
type Monitor struct {
	known   int64 // steps at the newest evaluation
	stop    *follower
	plateau *follower

	cooldown  int     // evaluations left that do not count for the plateau
	bestStep  int64   // steps at the best evaluation; 0: none yet
	stopped   bool    // the job ends at the newest evaluation
	reduced   []int64 // steps at the evaluations that reduced the learning rate
	restores  bool
	patience  int
	reduction *job.ReduceOnPlateau
}

// follower finds improvements of one figure.
type follower struct {
	figure string
	sign   float64 // 1: lower is better; −1: higher is better
	delta  float64
	best   float64 // times sign
	wait   int     // evaluations since the last improvement
}

func follow(figure string, mode job.Mode, delta float64) *follower {
	f := &follower{figure: figure, sign: 1, delta: delta, best: math.Inf(1)}
	if mode == job.Max {
		f.sign = -1
	}
	return f
}

// improves records an evaluation and reports whether it is better than the best one before
// by more than delta.
func (f *follower) improves(figures map[string]float64) bool {
	f.wait++
	x, ok := figures[f.figure]
	if x = float64(x * f.sign); !ok || !(x+f.delta < f.best) {
		return false
	}
	f.best, f.wait = x, 0
	return true
}

// New returns the monitor of a job before its first evaluation. It returns nil if nothing
// follows from the evaluations. The defaults of the spec must be filled in.
func New(s *job.Spec) *Monitor {
	if !s.Monitors() {
		return nil
	}
	m := &Monitor{restores: s.EarlyStopping.RestoresBest(), reduction: s.Schedule.ReduceOnPlateau}
	if e := s.EarlyStopping; e != nil {
		m.stop, m.patience = follow(e.Monitor, e.Mode, e.MinDelta), e.Patience
	}
	if r := m.reduction; r != nil {
		m.plateau = follow(r.Monitor, r.Mode, r.MinDelta)
	}
	return m
}

// Add records the evaluation after so many steps. Evaluations come in order; one that is
// known already changes nothing.
func (m *Monitor) Add(steps int64, figures map[string]float64) {
	if steps <= m.known || m.stopped {
		return
	}
	m.known = steps
	if m.stop != nil {
		switch {
		case m.stop.improves(figures):
			m.bestStep = steps
		case m.stop.wait >= m.patience:
			m.stopped = true
		}
	}
	if m.plateau != nil {
		m.addPlateau(steps, figures)
	}
}

// addPlateau counts the evaluations without an improvement outside of cooldowns.
func (m *Monitor) addPlateau(steps int64, figures map[string]float64) {
	if m.cooldown > 0 {
		m.cooldown--
		m.plateau.wait = 0
		m.plateau.improves(figures)
		m.plateau.wait = 0
		return
	}
	if !m.plateau.improves(figures) && m.plateau.wait >= m.reduction.Patience {
		m.reduced = append(m.reduced, steps)
		m.cooldown, m.plateau.wait = m.reduction.Cooldown, 0
	}
}

// Known returns the number of steps at the newest evaluation; 0 before the first.
func (m *Monitor) Known() int64 { return m.known }

// Stopped reports whether the job ends at the newest evaluation.
func (m *Monitor) Stopped() bool { return m.stopped }

// Best returns the number of steps at the best evaluation so far; 0 if there is none, or if
// the spec has no early stopping.
func (m *Monitor) Best() int64 { return m.bestStep }

// Keeps reports whether the parameters at the newest evaluation are to be kept as the best.
func (m *Monitor) Keeps() bool { return m.restores && m.bestStep == m.known && m.known > 0 }

// Reductions returns how often the learning rate is reduced at the step after so many
// steps.
func (m *Monitor) Reductions(steps int64) int {
	n, found := slices.BinarySearch(m.reduced, steps)
	if found {
		n++
	}
	return n
}
