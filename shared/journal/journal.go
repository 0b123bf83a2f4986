// Package journal is what workers and coordinators note beside a job's training
// state: which worker has which task in hand, which attempts failed, which tasks are
// recalled, and which worker is set aside.
//
// It owns the names of the notes and their encoding; shared/ledger keeps them. Workers
// note what they do, and obey what coordinators note. Coordinators read it when a
// notice gives them a hint, and when work stalls.
//
// Invariant: a notice over NATS says no more than that there is such a note. Whoever
// acts on a notice reads the note first, so a notice alone changes nothing.
package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// Names of notes: of an attempt, which its task, worker and delivery follow; of the
// recall; and of a worker that is set aside, whose name follows.
const (
	attemptPrefix = "attempt/"
	recallName    = "recall"
	asidePrefix   = "aside/"
)

// Attempt is a delivery of a task that a worker has in hand, or failed at. A worker
// that dies leaves it behind.
type Attempt struct {
	Task     job.Task `json:"task"` // where it failed: of the one step, of several
	Worker   string   `json:"worker"`
	Delivery int      `json:"delivery"`         // of the message, from 1
	Error    string   `json:"error,omitempty"`  // why it failed; empty while the worker has it in hand
	Poison   bool     `json:"poison,omitempty"` // it would fail again anywhere
	// Unsupported says what of the task the worker's program does not know. Such an attempt
	// has not failed: it tells about the worker alone.
	Unsupported string `json:"unsupported,omitempty"`

	name string
}

// New is the attempt of a worker at a delivery of a task, in hand.
func New(t job.Task, worker string, delivery int) *Attempt {
	return &Attempt{
		Task: t, Worker: worker, Delivery: delivery,
		name: attemptPrefix + t.MsgID() + "@" + worker + "/" + strconv.Itoa(delivery),
	}
}

// Failed reports whether the attempt has failed. Otherwise the worker has it in hand,
// or died with it.
func (a *Attempt) Failed() bool { return a.Error != "" }

// Begin notes that the worker has the task in hand.
func (a *Attempt) Begin(ctx context.Context, l ledger.Journal) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("note an attempt at %s: %w", a.Task.Name(), err)
	}
	return l.Note(ctx, a.Task.Ref, a.name, data)
}

// Fail notes that the attempt failed, in the step of the task that t names.
func (a *Attempt) Fail(ctx context.Context, l ledger.Journal, t job.Task, cause string, poison bool) error {
	a.Task, a.Error, a.Poison = t, notice.Clip(cause), poison
	return a.Begin(ctx, l)
}

// Leave notes that the worker's program does not know what the task asks for.
func (a *Attempt) Leave(ctx context.Context, l ledger.Journal, cause string) error {
	a.Unsupported = notice.Clip(cause)
	return a.Begin(ctx, l)
}

// End erases the attempt: its result is stored, or its failure is judged.
func (a *Attempt) End(ctx context.Context, l ledger.Journal) error {
	return l.Erase(ctx, a.Task.Ref, a.name)
}

// Attempts reads a job's attempts, in the order of their names. It passes over notes
// that are damaged: they confirm nothing.
func Attempts(ctx context.Context, l ledger.Journal, ref job.Ref) ([]*Attempt, error) {
	notes, err := l.Notes(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("read the attempts: %w", err)
	}
	var attempts []*Attempt
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		if !strings.HasPrefix(name, attemptPrefix) {
			continue
		}
		a := &Attempt{name: name}
		if err := json.Unmarshal(notes[name], a); err != nil || a.Task.Ref != ref || a.Worker == "" {
			continue
		}
		attempts = append(attempts, a)
	}
	return attempts, nil
}

// Recall notes that tasks of attempts below before are recalled.
func Recall(ctx context.Context, l ledger.Journal, ref job.Ref, before int) error {
	return l.Note(ctx, ref, recallName, strconv.AppendInt(nil, int64(before), 10))
}

// Recalled is the first attempt that is not recalled, 0 when none is noted.
func Recalled(ctx context.Context, l ledger.Journal, ref job.Ref) (before int, err error) {
	notes, err := l.Notes(ctx, ref, recallName)
	if err != nil {
		return 0, err
	}
	note, ok := notes[recallName]
	if !ok {
		return 0, nil
	}
	if before, err = strconv.Atoi(string(note)); err != nil {
		return 0, fmt.Errorf("recall of %s: %w: %w", ref, err, job.ErrCorrupt)
	}
	return before, nil
}

// SetAside notes that a worker is to take no tasks for a while.
func SetAside(ctx context.Context, l ledger.Journal, a notice.Aside) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("note that %s is set aside: %w", a.Worker, err)
	}
	return l.Note(ctx, a.Ref, asidePrefix+a.Worker, data)
}

// TakeAside returns what is noted about a worker that is to be set aside, and erases
// it: it is obeyed once. ok is false when nothing is noted.
func TakeAside(ctx context.Context, l ledger.Journal, ref job.Ref, worker string) (a notice.Aside, ok bool, err error) {
	name := asidePrefix + worker
	notes, err := l.Notes(ctx, ref, name)
	if err != nil {
		return a, false, err
	}
	note, ok := notes[name]
	if !ok {
		return a, false, nil
	}
	if err := json.Unmarshal(note, &a); err != nil || a.Validate() != nil || a.Worker != worker {
		return a, false, fmt.Errorf("aside of %s: damaged: %w", worker, job.ErrCorrupt)
	}
	return a, true, l.Erase(ctx, ref, name)
}
