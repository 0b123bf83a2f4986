package blob

import (
	"context"
	"crypto/rand"
	"fmt"
)

// Probe checks whether a store accepts a blob now. It puts a small new blob and deletes it.
func Probe(ctx context.Context, s Store) error {
	digest, err := s.Put(ctx, []byte("tributary: is there room? "+rand.Text()))
	if err == nil {
		err = s.Delete(ctx, digest)
	}
	if err != nil {
		return fmt.Errorf("write to the blob store: %w", err)
	}
	return nil
}
