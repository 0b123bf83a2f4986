package blob

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"tributary/shared/job"
)

// Memory keeps blobs in the process. Use NewMemory.
type Memory struct {
	limit int64

	mu    sync.RWMutex
	bytes int64 // sum of the lengths in blobs, at most limit
	blobs map[job.Digest][]byte
}

// NewMemory returns an empty store that holds at most limit bytes; 0 means no
// limit. Over it, Put fails with job.ErrFull.
func NewMemory(limit int64) *Memory {
	return &Memory{limit: limit, blobs: make(map[job.Digest][]byte)}
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
	m.blobs[digest] = append([]byte{}, data...)
	m.bytes += int64(len(data))
	return digest, nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("get blob %s: %w", digest, err)
	}
	m.mu.RLock()
	data, ok := m.blobs[digest]
	m.mu.RUnlock()
	if !ok {
		return nil, notFound(digest)
	}
	return slices.Clone(data), nil
}

// Has implements Store.
func (m *Memory) Has(ctx context.Context, digest job.Digest) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("look for blob %s: %w", digest, err)
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
	m.bytes -= int64(len(m.blobs[digest]))
	delete(m.blobs, digest)
	return nil
}
