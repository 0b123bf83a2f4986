// Package catalog keeps named data sets: under each name, immutable versions with numbers
// that are never used again.
//
// It owns the entries, how the bytes of a version lie in the blob store, and the rules for
// adding and removing versions. It leaves the storage of entries to an adapter (package
// broker) and the reading of files to ingest. Coordinators and the data command call it.
//
// Invariant: a version that is not pending has all its blobs, and its bytes never change.
package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"tributary/shared/blob"
	"tributary/shared/hint"
	"tributary/shared/job"
)

// Limits of a catalog.
const (
	maxVersions = 1000     // of a name
	partBytes   = 4 << 20  // of a blob
	MaxBytes    = 16 << 30 // of a version
)

// Entry is a name and its versions, in ascending order.
type Entry struct {
	Name     string    `json:"name"`
	Last     int       `json:"last"` // the largest number that was ever used
	Versions []Version `json:"versions"`
}

// Version is one version of a data set.
type Version struct {
	Version int        `json:"version"`
	SHA256  job.Digest `json:"sha256"` // of the bytes
	Bytes   int64      `json:"bytes"`
	Format  job.Format `json:"format"`
	Source  string     `json:"source,omitempty"` // where the bytes came from, for people
	Created time.Time  `json:"created"`
	Parts   job.Digest `json:"parts"`             // the blob that lists the parts
	Pending bool       `json:"pending,omitempty"` // it is still being stored
}

// Names stores the entries.
type Names interface {
	// Get fails with job.ErrNotFound if there is no such entry.
	Get(ctx context.Context, name string) (Entry, uint64, error)
	// Set stores an entry in place of the one at revision; 0 means that there is none. It
	// fails with job.ErrConflict if another process was faster.
	Set(ctx context.Context, e Entry, revision uint64) error
	// All yields every entry.
	All(ctx context.Context) iter.Seq2[Entry, error]
}

// Catalog is the named data sets of an installation.
type Catalog struct {
	Names Names
	Blobs blob.Store
	// Collecting reports whether a collector may be deleting blobs now.
	Collecting func(ctx context.Context) (bool, error)
	// Needed returns what needs a version, in words such as "job a" and "sweep b".
	Needed func(ctx context.Context, name string, version int) ([]string, error)
	Now    func() time.Time
}

// parts lists the blobs of a version.
type parts struct {
	Version int          `json:"version"` // 1
	Parts   []job.Digest `json:"parts"`
}

// Get returns a version of a name; 0 is the newest that is complete. It fails with
// job.ErrNotFound, in words.
func (c *Catalog) Get(ctx context.Context, name string, version int) (Version, error) {
	e, _, err := c.Names.Get(ctx, name)
	if errors.Is(err, job.ErrNotFound) || err == nil && len(e.Versions) == 0 {
		return Version{}, fmt.Errorf("there is no data set %.80q%s: %w", name, c.similar(ctx, name), job.ErrNotFound)
	}
	if err != nil {
		return Version{}, err
	}
	for _, v := range slices.Backward(e.Versions) {
		switch {
		case version == 0 && !v.Pending, v.Version == version && !v.Pending:
			return v, nil
		case v.Version == version:
			return Version{}, fmt.Errorf("version %d of data set %q is still being stored: %w", version, name, job.ErrNotFound)
		}
	}
	if version == 0 {
		return Version{}, fmt.Errorf("data set %q has no version that is complete: %w", name, job.ErrNotFound)
	}
	return Version{}, fmt.Errorf("data set %q has no version %d: it has %s: %w", name, version, numbers(e), job.ErrNotFound)
}

// numbers lists the versions of an entry for a message.
func numbers(e Entry) string {
	const shown = 12
	list := ""
	for i, v := range e.Versions {
		if i == shown {
			return list + ", …"
		}
		if i > 0 {
			list += ", "
		}
		list += fmt.Sprint(v.Version)
	}
	return list
}

// similar suggests the most similar name.
func (c *Catalog) similar(ctx context.Context, name string) string {
	var all []string
	for e, err := range c.Names.All(ctx) {
		if err != nil || len(all) == 10_000 {
			break
		}
		if len(e.Versions) > 0 {
			all = append(all, e.Name)
		}
	}
	return hint.For(name, all)
}

// List returns the entries that have versions, sorted by name.
func (c *Catalog) List(ctx context.Context) ([]Entry, error) {
	var out []Entry
	for e, err := range c.Names.All(ctx) {
		if err != nil {
			return nil, err
		}
		if len(e.Versions) > 0 {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// NeededBlobs passes every blob of every version to name, so that a collector keeps them. If
// it fails, not all were passed.
func (c *Catalog) NeededBlobs(ctx context.Context, name func(...job.Digest)) error {
	for e, err := range c.Names.All(ctx) {
		if err != nil {
			return err
		}
		for _, v := range e.Versions {
			name(v.Parts)
			p, err := c.parts(ctx, v)
			if err != nil {
				if v.Pending && errors.Is(err, job.ErrNotFound) {
					continue // the process that stores it will put the blobs again
				}
				return fmt.Errorf("data set %s@%d: %w; remove it so that unneeded blobs can be deleted again", e.Name, v.Version, err)
			}
			name(p...)
		}
	}
	return nil
}

// parts reads the list of a version's blobs.
func (c *Catalog) parts(ctx context.Context, v Version) ([]job.Digest, error) {
	data, err := blob.Fetch(ctx, c.Blobs, v.Parts)
	if err != nil {
		return nil, fmt.Errorf("its list of parts: %w", err)
	}
	var p parts
	if err := json.Unmarshal(data, &p); err != nil || p.Version != 1 {
		return nil, fmt.Errorf("its list of parts %s: want version 1 of a list: %w", v.Parts, job.ErrCorrupt)
	}
	return p.Parts, nil
}

// Remove removes a version. It fails with job.ErrConflict if a job needs it, and names the
// job. The collector deletes the blobs later.
func (c *Catalog) Remove(ctx context.Context, name string, version int) error {
	if version < 1 {
		return fmt.Errorf("data set %.80q: want the version to remove, as %[1]s@1: %w", name, job.ErrInvalid)
	}
	if err := c.unneeded(ctx, name, version); err != nil {
		return err
	}
	var removed Version
	err := c.change(ctx, name, func(e *Entry) error {
		i := slices.IndexFunc(e.Versions, func(v Version) bool { return v.Version == version })
		if i < 0 {
			return fmt.Errorf("data set %q has no version %d: %w", name, version, job.ErrNotFound)
		}
		removed = e.Versions[i]
		e.Versions = slices.Delete(e.Versions, i, i+1)
		return nil
	})
	if err != nil {
		return err
	}
	needed := c.unneeded(ctx, name, version) // a job may have been submitted meanwhile
	if needed == nil {
		return nil
	}
	back := c.change(ctx, name, func(e *Entry) error {
		e.Versions = append(e.Versions, removed)
		slices.SortFunc(e.Versions, func(a, b Version) int { return a.Version - b.Version })
		return nil
	})
	return errors.Join(needed, back)
}

// unneeded fails with job.ErrConflict if a job or a sweep needs a version.
func (c *Catalog) unneeded(ctx context.Context, name string, version int) error {
	jobs, err := c.Needed(ctx, name, version)
	if err != nil {
		return fmt.Errorf("look for jobs that need data set %s@%d: %w", name, version, err)
	}
	if len(jobs) == 0 {
		return nil
	}
	more := ""
	if n := len(jobs) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("data set %s@%d is needed by %s%s, which has not succeeded: wait for its end, or remove it: %w", name, version, jobs[0], more, job.ErrConflict)
}

// change changes an entry by compare-and-set; a name without an entry is an empty one.
func (c *Catalog) change(ctx context.Context, name string, alter func(*Entry) error) error {
	for {
		e, revision, err := c.Names.Get(ctx, name)
		if errors.Is(err, job.ErrNotFound) {
			e, revision, err = Entry{Name: name}, 0, nil
		}
		if err != nil {
			return err
		}
		if err := alter(&e); err != nil {
			return err
		}
		if err := c.Names.Set(ctx, e, revision); err == nil || !errors.Is(err, job.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}
