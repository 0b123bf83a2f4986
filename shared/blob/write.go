package blob

import (
	"errors"
	"os"
	"path/filepath"
)

// write writes data to path, completely or not at all, and the file survives a crash: write
// syncs the bytes before the rename, and the folders after it.
func (d *Directory) write(path string, data []byte) error {
	f, err := d.create(d.temp())
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename it does not exist any more
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	shard := filepath.Dir(path)
	if err := os.MkdirAll(shard, 0o750); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	for _, dir := range []string{shard, filepath.Dir(shard), d.root} {
		if err := syncFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder makes a folder's entries durable.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
