package redis

import (
	"context"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// Note sets a field of the job's journal hash.
func (l *Ledger) Note(ctx context.Context, ref job.Ref, name string, note []byte) error {
	if err := ledger.CheckNote(ref, name, note); err != nil {
		return err
	}
	key := keys{ref.String()}.journal()
	pipe := l.pipeline(len(note))
	pipe.HSet(ctx, key, name, note)
	pipe.PExpire(ctx, key, jobLife)
	if err := pipe.exec(ctx); err != nil {
		return fmt.Errorf("note %s of %s: %w", name, ref, err)
	}
	return nil
}

// Notes reads the given fields of the job's journal hash, or all fields.
func (l *Ledger) Notes(ctx context.Context, ref job.Ref, names ...string) (map[string][]byte, error) {
	if err := ledger.CheckNote(ref, "any", nil); err != nil {
		return nil, err
	}
	key := keys{ref.String()}.journal()
	if len(names) == 0 {
		all, err := l.fieldsOf(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("read the notes of %s: %w", ref, err)
		}
		return all, nil
	}
	some, err := l.control.HMGet(ctx, key, names...).Result()
	if err != nil {
		return nil, fmt.Errorf("read notes of %s: %w", ref, classify(ctx, err))
	}
	notes := map[string][]byte{}
	for i, v := range some {
		if note, ok := v.(string); ok && i < len(names) {
			notes[names[i]] = []byte(note)
		}
	}
	return notes, nil
}

// Erase deletes fields of the job's journal hash.
func (l *Ledger) Erase(ctx context.Context, ref job.Ref, names ...string) error {
	if err := ledger.CheckNote(ref, "any", nil); err != nil || len(names) == 0 {
		return err
	}
	if err := l.control.HDel(ctx, keys{ref.String()}.journal(), names...).Err(); err != nil {
		return fmt.Errorf("erase notes of %s: %w", ref, classify(ctx, err))
	}
	return nil
}
