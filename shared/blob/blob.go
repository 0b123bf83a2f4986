// Package blob is the contract for where immutable bytes live: dataset blocks,
// plans and checkpoints. Blobs are named by the digest of their content.
//
// It owns the contract, its errors and two adapters that need no server,
// [Memory] and [Directory]; package broker adds one on NATS Object Store.
// The coordinator puts, workers get.
//
// Invariant: what Get returns has the digest it was asked for, or Get fails.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"tributary/shared/job"
)

// Store keeps blobs. Implementations are safe for concurrent use.
type Store interface {
	// Put stores data under its digest and returns it. It is idempotent:
	// putting the same bytes again changes nothing. When it returns nil the
	// blob is there for every reader. data is not kept.
	Put(ctx context.Context, data []byte) (job.Digest, error)
	// Get returns the bytes of the digest, verified; the caller owns them.
	// It fails with job.ErrNotFound when there is no such blob and with
	// job.ErrCorrupt when the stored bytes do not have the digest.
	Get(ctx context.Context, digest job.Digest) ([]byte, error)
	// Has reports whether the blob is there, without reading it whole.
	Has(ctx context.Context, digest job.Digest) (bool, error)
	// Delete removes the blob; removing one that is not there is no error.
	Delete(ctx context.Context, digest job.Digest) error
}

// DigestOf returns the SHA-256 of data.
func DigestOf(data []byte) job.Digest {
	sum := sha256.Sum256(data)
	return job.Digest(hex.EncodeToString(sum[:]))
}

// Verify returns job.ErrCorrupt unless data has the digest.
func Verify(digest job.Digest, data []byte) error {
	if got := DigestOf(data); got != digest {
		return fmt.Errorf("blob %s: content has digest %s: %w", digest, got, job.ErrCorrupt)
	}
	return nil
}
