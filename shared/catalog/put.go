package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// Added says what a new version is.
type Added struct {
	Format job.Format
	Source string // for people
}

// attempts bounds how often the bytes are read again because blobs were deleted meanwhile.
const attempts = 5

// Put stores the bytes that open gives as a new version of a name. open may be called more
// than once and must give the same bytes. If the newest version has the same bytes and
// format, Put returns that version.
func (c *Catalog) Put(ctx context.Context, name string, a Added, open func() (io.ReadCloser, error)) (Version, error) {
	if err := job.ID(name).Validate(); err != nil {
		return Version{}, fmt.Errorf("name: %w: %w", err, job.ErrInvalid)
	}
	if !slices.Contains(a.Format.Allowed(), string(a.Format)) {
		return Version{}, fmt.Errorf("format: %.40q: want one of %q: %w", string(a.Format), a.Format.Allowed(), job.ErrInvalid)
	}
	v, list, err := c.store(ctx, open)
	if err != nil {
		return v, err
	}
	v.Format, v.Source, v.Created, v.Pending = a.Format, a.Source, c.Now().UTC().Truncate(time.Second), true
	known := false
	err = c.change(ctx, name, func(e *Entry) error {
		if n := len(e.Versions); n > 0 {
			newest := e.Versions[n-1]
			if known = newest.SHA256 == v.SHA256 && newest.Format == v.Format && !newest.Pending; known {
				v = newest
				return errKnown
			}
			if n >= maxVersions {
				return fmt.Errorf("data set %q has %d versions: want at most that many: remove some: %w", name, n, job.ErrFull)
			}
		}
		e.Last++
		v.Version = e.Last
		e.Versions = append(e.Versions, v)
		return nil
	})
	if known {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	if err := c.settle(ctx, v, list, open); err != nil {
		return v, errors.Join(fmt.Errorf("version %d of data set %q is not complete: %w", v.Version, name, err), c.drop(ctx, name, v.Version))
	}
	v.Pending = false
	return v, c.change(ctx, name, func(e *Entry) error {
		i := slices.IndexFunc(e.Versions, func(o Version) bool { return o.Version == v.Version })
		if i < 0 {
			return fmt.Errorf("version %d of data set %q was removed while it was being stored: %w", v.Version, name, job.ErrConflict)
		}
		e.Versions[i].Pending = false
		return nil
	})
}

// errKnown ends a change that is not needed.
var errKnown = errors.New("the newest version has these bytes")

// drop removes a version that is not complete. It works after ctx has ended.
func (c *Catalog) drop(ctx context.Context, name string, version int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return c.change(ctx, name, func(e *Entry) error {
		e.Versions = slices.DeleteFunc(e.Versions, func(v Version) bool { return v.Version == version })
		return nil
	})
}

// store puts the bytes and the list of their parts into the blob store.
func (c *Catalog) store(ctx context.Context, open func() (io.ReadCloser, error)) (v Version, list []job.Digest, err error) {
	r, err := open()
	if err != nil {
		return v, nil, err
	}
	defer r.Close()
	sum, buffer := sha256.New(), make([]byte, partBytes)
	for {
		n, err := io.ReadFull(r, buffer)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return v, nil, fmt.Errorf("read the bytes: %w", err)
		}
		if n > 0 {
			v.Bytes += int64(n)
			if v.Bytes > MaxBytes {
				return v, nil, fmt.Errorf("over %d bytes: want at most that many: %w", int64(MaxBytes), job.ErrInvalid)
			}
			sum.Write(buffer[:n])
			digest, err := c.Blobs.Put(ctx, buffer[:n])
			if err != nil {
				return v, nil, fmt.Errorf("store a part: %w", err)
			}
			list = append(list, digest)
		}
		if err != nil {
			break
		}
	}
	if v.Bytes == 0 {
		return v, nil, fmt.Errorf("it has no bytes: want a file with rows: %w", job.ErrInvalid)
	}
	v.SHA256 = job.Digest(hex.EncodeToString(sum.Sum(nil)))
	data, err := json.Marshal(parts{1, list})
	if err != nil {
		return v, nil, err
	}
	v.Parts, err = c.Blobs.Put(ctx, data)
	return v, append(list, v.Parts), err
}

// settle makes sure that the blobs of a recorded version exist. A collector that began before
// the version was recorded may have deleted some; one that begins later knows them.
func (c *Catalog) settle(ctx context.Context, v Version, blobs []job.Digest, open func() (io.ReadCloser, error)) error {
	for range attempts {
		if err := c.quiet(ctx); err != nil {
			return err
		}
		missing := false
		for _, d := range blobs {
			has, err := c.Blobs.Has(ctx, d)
			if err != nil {
				return err
			}
			missing = missing || !has
		}
		if !missing {
			return nil
		}
		again, _, err := c.store(ctx, open)
		if err != nil {
			return err
		}
		if again.SHA256 != v.SHA256 {
			return fmt.Errorf("the bytes changed while they were being stored: %w", job.ErrInvalid)
		}
	}
	return fmt.Errorf("its blobs were deleted %d times: %w", attempts, job.ErrConflict)
}

// quiet waits until no collector deletes blobs that it looked for before now.
func (c *Catalog) quiet(ctx context.Context) error {
	if c.Collecting == nil {
		return nil
	}
	for {
		busy, err := c.Collecting(ctx)
		if err != nil || !busy {
			return err
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// Open opens the bytes of a version; 0 is the newest.
func (c *Catalog) Open(ctx context.Context, name string, version int) (io.ReadCloser, error) {
	v, err := c.Get(ctx, name, version)
	if err != nil {
		return nil, err
	}
	list, err := c.parts(ctx, v)
	if err != nil {
		return nil, fmt.Errorf("data set %s@%d: %w", name, v.Version, err)
	}
	return &reader{ctx: ctx, blobs: c.Blobs, parts: list, left: v.Bytes}, nil
}

// reader reads parts one after the other.
type reader struct {
	ctx   context.Context //nolint:containedctx // lives as long as one reading
	blobs blob.Store
	parts []job.Digest
	part  bytes.Reader
	left  int64
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for r.part.Len() == 0 {
		if len(r.parts) == 0 {
			if r.left != 0 {
				return 0, fmt.Errorf("%d bytes of the data set are missing: %w", r.left, job.ErrCorrupt)
			}
			return 0, io.EOF
		}
		data, err := blob.Fetch(r.ctx, r.blobs, r.parts[0])
		if err != nil {
			return 0, err
		}
		r.parts, r.left = r.parts[1:], r.left-int64(len(data))
		r.part.Reset(data)
	}
	return r.part.Read(p)
}

// Close implements io.Closer.
func (r *reader) Close() error { return nil }
