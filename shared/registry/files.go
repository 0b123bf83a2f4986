package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"tributary/shared/job"
)

// The files of a model.
const (
	CardFile    = "model.json"
	WeightsFile = "model.safetensors"
	// ProfileFile describes the training rows (dataset.Profile). A model may be without it.
	ProfileFile = "profile.json"
)

// FileNames lists the files of a model, in the order in which Read reads them.
var FileNames = []string{CardFile, WeightsFile}

// Encode returns the model's files by name.
func Encode(m *Model) (map[string][]byte, error) {
	card, err := m.Card.encode()
	if err != nil {
		return nil, err
	}
	weights, err := EncodeWeights(m.Network.Tensors(), m.Weights)
	if err != nil {
		return nil, fmt.Errorf("encode %s of model %.80q: %w", WeightsFile, string(m.Card.ID), err)
	}
	files := map[string][]byte{CardFile: card, WeightsFile: weights}
	if m.profile != nil {
		files[ProfileFile] = m.profile
	}
	return files, nil
}

// Decode makes a model from its files, and ignores other files. It fails with
// job.ErrNotFound if a file is missing, and with job.ErrCorrupt if the weights do not match
// the digest in the card.
func Decode(files map[string][]byte) (*Model, error) {
	for _, name := range FileNames {
		if _, ok := files[name]; !ok {
			return nil, fmt.Errorf("model without %s: %w", name, job.ErrNotFound)
		}
	}
	return Read(func(name string, read func(io.Reader, int64) error) error {
		if _, ok := files[name]; !ok {
			return job.ErrNotFound
		}
		return read(bytes.NewReader(files[name]), int64(len(files[name])))
	}, nil)
}

// Save writes the model's files into dir with WriteFiles.
func Save(dir string, m *Model) error {
	files, err := Encode(m)
	if err != nil {
		return err
	}
	return WriteFiles(dir, files)
}

// Load reads a model from dir. It fails with job.ErrNotFound if a file is missing.
func Load(dir string) (*Model, error) {
	missing := ""
	m, err := Read(func(name string, read func(io.Reader, int64) error) error {
		err := readFile(filepath.Join(dir, name), read)
		if errors.Is(err, fs.ErrNotExist) && name != ProfileFile {
			missing = name
		}
		return err
	}, nil)
	if missing != "" {
		return nil, fmt.Errorf("no model in %q: it has no %s: %w", dir, missing, job.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("model in %q: %w", dir, err)
	}
	return m, nil
}

// LoadCard reads only the card of the model in dir. It fails with job.ErrNotFound if there
// is none.
func LoadCard(dir string) (c Card, err error) {
	err = readFile(filepath.Join(dir, CardFile), func(r io.Reader, size int64) (err error) {
		c, _, err = readCard(r, size)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("no model in %q: %w", dir, job.ErrNotFound)
	}
	return c, err
}

func readFile(path string, read func(io.Reader, int64) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: want a regular file: %w", path, job.ErrInvalid)
	}
	return read(f, info.Size())
}

// WriteFiles writes files into dir, and creates dir if it does not exist. It writes each
// file with WriteFile. It writes model.json last, so the model is complete when its card
// exists.
func WriteFiles(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	names := slices.Sorted(maps.Keys(files))
	if i := slices.Index(names, CardFile); i >= 0 {
		names = append(slices.Delete(names, i, i+1), CardFile)
	}
	for _, name := range names {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return fmt.Errorf("write model: file name %.80q: want a name without folders: %w", name, job.ErrInvalid)
		}
		if err := WriteFile(dir, name, files[name]); err != nil {
			return fmt.Errorf("write model: %s: %w", name, err)
		}
	}
	return syncDir(dir)
}

// WriteFile writes a file into dir and replaces a file of that name. The file appears whole
// or not at all. Its contents are on disk before its name is.
func WriteFile(dir, name string, data []byte) error {
	return WriteFrom(dir, name, bytes.NewReader(data))
}

// WriteFrom is WriteFile for the bytes of a reader.
func WriteFrom(dir, name string, data io.Reader) (err error) {
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = io.Copy(f, data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, name))
}

// syncDir makes the file names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("write model: %w", err)
	}
	return nil
}
