package blob

import (
	"context"
	"errors"

	"tributary/shared/job"
)

// Fetch gets a blob. If its bytes are damaged, Fetch gets it once more: damage of the
// transfer is gone then, damage in the store is not.
func Fetch(ctx context.Context, s Store, digest job.Digest) ([]byte, error) {
	data, err := s.Get(ctx, digest)
	if errors.Is(err, job.ErrCorrupt) {
		return s.Get(ctx, digest)
	}
	return data, err
}
