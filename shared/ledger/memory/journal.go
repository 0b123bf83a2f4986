package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// Note stores a copy of the note.
func (l *Ledger) Note(ctx context.Context, ref job.Ref, name string, note []byte) error {
	if err := cmp.Or(ctx.Err(), ledger.CheckNote(ref, name, note)); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.journals[ref] == nil {
		l.journals[ref] = map[string][]byte{}
	}
	l.journals[ref][name] = slices.Clone(note)
	return nil
}

// Notes returns the stored notes themselves. Nobody changes them.
func (l *Ledger) Notes(ctx context.Context, ref job.Ref, names ...string) (map[string][]byte, error) {
	if err := cmp.Or(ctx.Err(), ledger.CheckNote(ref, "any", nil)); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(names) == 0 {
		return maps.Clone(l.journals[ref]), nil
	}
	some := map[string][]byte{}
	for _, name := range names {
		if note, ok := l.journals[ref][name]; ok {
			some[name] = note
		}
	}
	return some, nil
}

// Erase removes the notes.
func (l *Ledger) Erase(ctx context.Context, ref job.Ref, names ...string) error {
	if err := cmp.Or(ctx.Err(), ledger.CheckNote(ref, "any", nil)); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		delete(l.journals[ref], name)
	}
	if len(l.journals[ref]) == 0 {
		delete(l.journals, ref)
	}
	return nil
}
