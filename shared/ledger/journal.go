package ledger

import (
	"context"
	"fmt"

	"tributary/shared/job"
)

// Bounds of a note, in bytes.
const (
	MaxNoteName = 512
	MaxNote     = 16 << 10
)

// Journal stores short notes about a job, by name, beside its training state. Package
// journal defines their meaning. A note changes no result; it confirms what a notice over
// the network says.
type Journal interface {
	// Note stores a note. It replaces the note of the same name.
	Note(ctx context.Context, ref job.Ref, name string, note []byte) error
	// Notes reads the notes of the given names, or all notes when no name is given. Notes
	// that do not exist are left out.
	Notes(ctx context.Context, ref job.Ref, names ...string) (map[string][]byte, error)
	// Erase removes notes. A note that does not exist is no error.
	Erase(ctx context.Context, ref job.Ref, names ...string) error
}

// CheckNote reports, as job.ErrInvalid, a reference or a note that cannot be stored.
func CheckNote(ref job.Ref, name string, note []byte) error {
	if err := (Layout{Ref: ref, ChunkLen: 1, Microbatch: 1}).Validate(); err != nil {
		return err
	}
	if name == "" || len(name) > MaxNoteName {
		return fmt.Errorf("note %.40q: want a name of 1 to %d bytes: %w", name, MaxNoteName, job.ErrInvalid)
	}
	if len(note) > MaxNote {
		return fmt.Errorf("note %.40q of %d bytes: want at most %d: %w", name, len(note), MaxNote, job.ErrInvalid)
	}
	return nil
}
