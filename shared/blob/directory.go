package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tributary/shared/job"
)

// Directory stores blobs as files: root/aa/bb/aabb…, named by digest. Several processes may
// share one directory. Create it with NewDirectory.
//
// Invariant: a file gets its final name only when it is complete and synced. So a crash
// leaves nothing but files below root/tmp.
type Directory struct {
	root   string
	create func(dir string) (file, error) // creates a temporary file
}

// file is the temporary file to which Put writes.
type file interface {
	io.WriteCloser
	Name() string
	Sync() error
}

func createTemp(dir string) (file, error) { return os.CreateTemp(dir, "put-*") }

// staleAfter is the age of a leftover temporary file at which the process that wrote it has
// certainly ended.
const staleAfter = 24 * time.Hour

// NewDirectory opens the store below root. It creates root when it does not exist.
func NewDirectory(root string) (*Directory, error) {
	d := &Directory{root: root, create: createTemp}
	if err := os.MkdirAll(d.temp(), 0o750); err != nil {
		return nil, fmt.Errorf("open blob directory: %w", err)
	}
	if err := d.tidy(time.Now(), func() error { return nil }); err != nil {
		return nil, fmt.Errorf("open blob directory: %w", err)
	}
	return d, nil
}

// present fails when the store's own folder does not exist: then nothing is known about its
// blobs. A folder without root/tmp is the mount point of a volume that is not mounted.
func (d *Directory) present() error {
	_, err := os.Stat(d.temp())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the blob directory %s does not exist, or its volume is not mounted (it has no folder tmp): %w", d.root, err)
	}
	return err
}

// restore creates the folder again when somebody has removed it. It does not touch an empty
// folder: that is the mount point of a volume that is not mounted.
func (d *Directory) restore() error {
	if _, err := os.Stat(d.root); errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(d.temp(), 0o750)
	}
	return d.present()
}

func (d *Directory) temp() string { return filepath.Join(d.root, "tmp") }

// path returns the file of a digest, which must be valid.
func (d *Directory) path(digest job.Digest) string {
	s := string(digest)
	return filepath.Join(d.root, s[:2], s[2:4], s)
}

// Put implements Store. It replaces a stored file that no longer has its digest.
func (d *Directory) Put(ctx context.Context, data []byte) (job.Digest, error) {
	digest := DigestOf(data)
	if int64(len(data)) > MaxBytes {
		return "", fmt.Errorf("put blob %s: it has %d bytes; at most %d are allowed: %w", digest, len(data), int64(MaxBytes), job.ErrInvalid)
	}
	if _, err := d.Get(ctx, digest); err == nil {
		return digest, nil
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("put blob %s: %w", digest, err)
	}
	if err := d.restore(); err != nil {
		return "", fmt.Errorf("put blob %s: %w", digest, err)
	}
	if err := d.write(d.path(digest), data); err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = fmt.Errorf("%w: %w", err, job.ErrFull)
		}
		return "", fmt.Errorf("put blob %s: %w", digest, err)
	}
	return digest, nil
}

// Get implements Store.
func (d *Directory) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("get blob %s: %w", digest, err)
	}
	if !IsDigest(digest) {
		return nil, notFound(digest)
	}
	f, err := os.Open(d.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.present(); err == nil {
			return nil, notFound(digest)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("get blob %s: %w", digest, err)
	}
	defer f.Close()
	data, err := readBounded(f)
	if err != nil {
		return nil, fmt.Errorf("get blob %s: %w", digest, err)
	}
	return data, Verify(digest, data)
}

// readBounded reads a whole file. It fails when the file is longer than any blob.
func readBounded(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxBytes {
		return nil, fmt.Errorf("%s: want a regular file of at most %d bytes: %w", f.Name(), int64(MaxBytes), job.ErrCorrupt)
	}
	data := make([]byte, info.Size())
	n, err := io.ReadFull(f, data)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil // the file was truncated during the read: the digest will show it
	}
	return data[:n], err
}

// Has implements Store.
func (d *Directory) Has(ctx context.Context, digest job.Digest) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("check for blob %s: %w", digest, err)
	}
	if !IsDigest(digest) {
		return false, nil
	}
	info, err := os.Stat(d.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.present(); err == nil {
			return false, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("check for blob %s: %w", digest, err)
	}
	return info.Mode().IsRegular(), nil
}

// Delete implements Store.
func (d *Directory) Delete(ctx context.Context, digest job.Digest) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete blob %s: %w", digest, err)
	}
	if !IsDigest(digest) {
		return nil
	}
	if err := os.Remove(d.path(digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete blob %s: %w", digest, err)
	}
	return nil
}
