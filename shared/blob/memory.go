package blob

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"tributary/shared/job"
)

// Memory stores blobs in the memory of the process. Create it with NewMemory.
type Memory struct {
	limit int64

	mu    sync.RWMutex
	bytes int64 // sum of the lengths of all blobs, at most limit
	blobs map[job.Digest]kept
}

// kept is a blob, with the time when it was put.
type kept struct {
	data []byte
	time time.Time
}

var _ Lister = (*Memory)(nil)

// NewMemory returns an empty store for at most limit bytes; 0 means no limit. When the
// limit is reached, Put fails with job.ErrFull.
func NewMemory(limit int64) *Memory {
	return &Memory{limit: limit, blobs: make(map[job.Digest]kept)}
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, data []byte) (job.Digest, error) {
	digest := DigestOf(data)
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("put blob %s: %w", digest, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.blobs[digest]; ok {
		return digest, nil
	}
	if size := m.bytes + int64(len(data)); m.limit > 0 && size > m.limit {
		return "", fmt.Errorf("put blob %s: store would hold %d bytes; its limit is %d: %w", digest, size, m.limit, job.ErrFull)
	}
	m.blobs[digest] = kept{append([]byte{}, data...), time.Now()}
	m.bytes += int64(len(data))
	return digest, nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("get blob %s: %w", digest, err)
	}
	m.mu.RLock()
	b, ok := m.blobs[digest]
	m.mu.RUnlock()
	if !ok {
		return nil, notFound(digest)
	}
	return slices.Clone(b.data), nil
}

// Has implements Store.
func (m *Memory) Has(ctx context.Context, digest job.Digest) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("check for blob %s: %w", digest, err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.blobs[digest]
	return ok, nil
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, digest job.Digest) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete blob %s: %w", digest, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes -= int64(len(m.blobs[digest].data))
	delete(m.blobs, digest)
	return nil
}

// List implements Lister.
func (m *Memory) List(ctx context.Context) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		m.mu.RLock()
		all := make([]Stored, 0, len(m.blobs))
		for digest, b := range m.blobs {
			all = append(all, Stored{digest, b.time})
		}
		m.mu.RUnlock()
		for _, s := range all {
			if err := ctx.Err(); err != nil {
				yield(Stored{}, fmt.Errorf("list blobs: %w", err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// Tidy implements Lister. There is nothing to remove: a put in memory is never interrupted.
func (m *Memory) Tidy(ctx context.Context, _ time.Time) error { return ctx.Err() }

// Claim implements Lister. It always accepts the origin: no other process can use this
// store.
func (m *Memory) Claim(ctx context.Context, origin string) (string, error) { return origin, ctx.Err() }
