// Package journal defines the notes that workers and coordinators write beside a job's
// training state: which worker is working on which task, which attempts failed, which tasks
// are recalled, and which worker is set aside.
//
// It owns the names of the notes and their encoding; shared/ledger stores them. Workers
// write notes about their attempts, and obey the notes of coordinators. Coordinators read
// the notes when a notice gives them a hint, and when work stalls.
//
// Invariant: a notice over NATS only says that such a note exists. The receiver reads the
// note before it acts, so a notice alone changes nothing.
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

// Names of notes. The task's message ID, the worker and the delivery follow attemptPrefix;
// the worker's name follows asidePrefix. The recall has one note.
const (
	attemptPrefix = "attempt/"
	recallName    = "recall"
	asidePrefix   = "aside/"
)

// Attempt is a delivery of a task that a worker is working on or failed at. If the worker
// dies, the attempt stays in the ledger.
type Attempt struct {
	Task     job.Task `json:"task"` // after a failure: the task of the step that failed, of a task of several steps
	Worker   string   `json:"worker"`
	Delivery int      `json:"delivery"`         // of the message, from 1
	Error    string   `json:"error,omitempty"`  // why it failed; empty while the worker is working on it
	Poison   bool     `json:"poison,omitempty"` // the task would fail on every worker
	// Unsupported says what the task asks for that the worker's program does not know. Such
	// an attempt has not failed: it says something about the worker only.
	Unsupported string `json:"unsupported,omitempty"`

	name string
}

// New returns a worker's attempt at a delivery of a task. It has not failed, and it is not
// in the ledger yet.
func New(t job.Task, worker string, delivery int) *Attempt {
	return &Attempt{
		Task: t, Worker: worker, Delivery: delivery,
		name: attemptPrefix + t.MsgID() + "@" + worker + "/" + strconv.Itoa(delivery),
	}
}

// Failed reports whether the attempt has failed. If not, then the worker is working on it,
// or died while it did.
func (a *Attempt) Failed() bool { return a.Error != "" }

// Begin stores the note that the worker is working on the task.
func (a *Attempt) Begin(ctx context.Context, l ledger.Journal) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("note an attempt at %s: %w", a.Task.Name(), err)
	}
	return l.Note(ctx, a.Task.Ref, a.name, data)
}

// Fail stores the note that the attempt failed at t, the task of one step. poison says that
// it would fail on every worker.
func (a *Attempt) Fail(ctx context.Context, l ledger.Journal, t job.Task, cause string, poison bool) error {
	a.Task, a.Error, a.Poison = t, notice.Clip(cause), poison
	return a.Begin(ctx, l)
}

// Leave stores the note that the worker's program does not know what the task asks for;
// cause says what.
func (a *Attempt) Leave(ctx context.Context, l ledger.Journal, cause string) error {
	a.Unsupported = notice.Clip(cause)
	return a.Begin(ctx, l)
}

// End erases the attempt's note. Callers end an attempt when its result is stored, or when
// its failure was judged.
func (a *Attempt) End(ctx context.Context, l ledger.Journal) error {
	return l.Erase(ctx, a.Task.Ref, a.name)
}

// Attempts reads a job's attempts, in the order of their names. It skips damaged notes:
// they confirm nothing.
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

// Recall stores the note that the tasks of attempts below before are recalled.
func Recall(ctx context.Context, l ledger.Journal, ref job.Ref, before int) error {
	return l.Note(ctx, ref, recallName, strconv.AppendInt(nil, int64(before), 10))
}

// Recalled returns the first attempt that is not recalled, 0 when there is no note of a
// recall.
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

// SetAside stores the note that a worker must take no tasks for a while.
func SetAside(ctx context.Context, l ledger.Journal, a notice.Aside) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("note that %s is set aside: %w", a.Worker, err)
	}
	return l.Note(ctx, a.Ref, asidePrefix+a.Worker, data)
}

// TakeAside reads the note that sets a worker aside, and erases it, so that the worker
// obeys it once. ok is false when there is no note. A damaged note fails with
// job.ErrCorrupt.
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
		return a, false, fmt.Errorf("note that sets %s aside: damaged: %w", worker, job.ErrCorrupt)
	}
	return a, true, l.Erase(ctx, ref, name)
}
