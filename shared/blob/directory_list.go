package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"tributary/shared/job"
)

var _ Lister = (*Directory)(nil)

// List implements Lister. A file's time comes from the clock of the machine that has the
// folder.
func (d *Directory) List(ctx context.Context) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		stopped := errors.New("the reader stopped")
		err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && path != d.root:
				return nil // deleted since
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case e.IsDir() && path == d.temp():
				return fs.SkipDir
			}
			digest := job.Digest(e.Name())
			if !e.Type().IsRegular() || !IsDigest(digest) || path != d.path(digest) {
				return nil
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if !yield(Stored{digest, info.ModTime()}, nil) {
				return stopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(Stored{}, fmt.Errorf("list blobs: %w", err))
		}
	}
}

// Tidy implements Lister. It removes the temporary files that a crash left, if they were a
// day old at the time before. Younger ones may belong to a Put that is still in progress.
func (d *Directory) Tidy(ctx context.Context, before time.Time) error {
	return d.tidy(before, ctx.Err)
}

// tidy does the same as Tidy, until stopped returns an error.
func (d *Directory) tidy(before time.Time, stopped func() error) error {
	entries, err := os.ReadDir(d.temp())
	if err != nil {
		return fmt.Errorf("tidy blobs: %w", err)
	}
	for _, e := range entries {
		if err := stopped(); err != nil {
			return fmt.Errorf("tidy blobs: %w", err)
		}
		info, err := e.Info()
		if err != nil || before.Sub(info.ModTime()) < staleAfter {
			continue
		}
		if err := os.Remove(filepath.Join(d.temp(), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("tidy blobs: %w", err)
		}
	}
	return nil
}

// Claim implements Lister. The file root/origin holds the origin. It appears complete or
// not at all.
func (d *Directory) Claim(ctx context.Context, origin string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("claim blobs: %w", err)
	}
	path := filepath.Join(d.root, ClaimName)
	if noted, err := readClaim(path); !errors.Is(err, fs.ErrNotExist) {
		return noted, err
	}
	f, err := os.CreateTemp(d.temp(), "claim-*")
	if err != nil {
		return "", fmt.Errorf("claim blobs: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(origin)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("claim blobs: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) { // unlike a rename, a link replaces nothing
		return "", fmt.Errorf("claim blobs: %w", err)
	}
	return readClaim(path)
}

func readClaim(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("claim blobs: %w", err)
	}
	defer f.Close()
	noted, err := io.ReadAll(io.LimitReader(f, MaxClaim))
	if err != nil {
		return "", fmt.Errorf("claim blobs: %w", err)
	}
	return string(noted), nil
}
