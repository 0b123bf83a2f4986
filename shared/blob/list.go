package blob

import (
	"context"
	"iter"
	"time"

	"tributary/shared/job"
)

// Stored is a blob in a listing.
type Stored struct {
	Digest job.Digest
	Time   time.Time // when it was put, by the clock of the store
}

// Lister is a store that can list its blobs, for the program that deletes the blobs that no
// job needs. Every store of this project is one.
type Lister interface {
	Store
	// List yields every blob that existed when List began and was not deleted since. It
	// yields some of the blobs that were put or deleted meanwhile. It holds only a few
	// blobs' names at a time. If it yields an error, that is the last item, and the listing
	// is incomplete. List leaves out everything that is not named by a digest.
	List(ctx context.Context) iter.Seq2[Stored, error]
	// Tidy removes what interrupted puts have left, if it is older than before.
	Tidy(ctx context.Context, before time.Time) error
	// Claim records that the jobs of origin need the blobs here, unless another origin is
	// recorded. It returns the recorded origin. Two origins must not delete each other's
	// blobs.
	Claim(ctx context.Context, origin string) (noted string, err error)
}

// The name of the file or object that holds a claim, and its largest size in bytes.
const (
	ClaimName = "origin"
	MaxClaim  = 1 << 10
)
