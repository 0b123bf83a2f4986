// Package blob defines the contract of stores for immutable bytes: dataset blocks, plans
// and checkpoints. A blob is named by the digest of its content.
//
// It owns the interfaces, their errors, and two implementations that need no server,
// [Memory] and [Directory]. Package broker adds one on the NATS Object Store, package
// blob/s3 one on Amazon S3. Coordinators and workers put and get blobs.
//
// Invariant: Get returns bytes that have the requested digest, or it fails.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"tributary/shared/job"
)

// Store stores blobs. Implementations are safe for concurrent use.
type Store interface {
	// Put stores data under its digest and returns the digest. It is idempotent: putting
	// the same bytes again changes nothing. When Put returns nil, every reader can get the
	// blob. Put does not keep a reference to data.
	Put(ctx context.Context, data []byte) (job.Digest, error)
	// Get returns the bytes of the digest, after it has verified them. The caller owns
	// them. It fails with job.ErrNotFound when there is no such blob, and with
	// job.ErrCorrupt when the stored bytes do not have the digest.
	Get(ctx context.Context, digest job.Digest) ([]byte, error)
	// Has reports whether the blob exists. It does not read the whole blob.
	Has(ctx context.Context, digest job.Digest) (bool, error)
	// Delete removes the blob. A blob that does not exist is no error.
	Delete(ctx context.Context, digest job.Digest) error
}

// DigestOf returns the SHA-256 of data.
func DigestOf(data []byte) job.Digest {
	sum := sha256.Sum256(data)
	return job.Digest(hex.EncodeToString(sum[:]))
}

// Verify fails with job.ErrCorrupt when data does not have the digest.
func Verify(digest job.Digest, data []byte) error {
	if got := DigestOf(data); got != digest {
		return fmt.Errorf("blob %s: content has digest %s: %w", digest, got, job.ErrCorrupt)
	}
	return nil
}
