package blob

import (
	"context"
	"iter"
	"time"

	"tributary/shared/job"
)

// Stored is a blob as a listing names it.
type Stored struct {
	Digest job.Digest
	Time   time.Time // when it was put, by the clock of the store
}

// Lister is a store that says what it holds, for the program that deletes the blobs
// that no job needs. Every store of this project is one.
type Lister interface {
	Store
	// List yields every blob that was there when List began and was not deleted since;
	// of those that came or went meanwhile it yields some. It holds a few at a time. An
	// error is the last that it yields: the listing is then not whole. What is not named
	// by a digest is no blob and left out.
	List(ctx context.Context) iter.Seq2[Stored, error]
	// Tidy removes what puts have left behind that were cut off before that time.
	Tidy(ctx context.Context, before time.Time) error
	// Claim notes that the jobs of origin need the blobs here, unless another origin is
	// noted, and returns the one that is. Two origins must not delete each other's blobs.
	Claim(ctx context.Context, origin string) (noted string, err error)
}

// What a claim is kept as where it is a file or an object: its name, and its most bytes.
const (
	ClaimName = "origin"
	MaxClaim  = 1 << 10
)
