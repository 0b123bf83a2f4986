package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// MaxModelFile bounds one file of a model, in bytes: the largest parameters that a model
// may have, 1 GiB, plus the data that goes with them.
const MaxModelFile = 1<<30 + 32<<20

// modelCard is the file that is put last: a model exists when this file exists.
const modelCard = "model.json"

var modelPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Models stores the files of trained models in the object bucket for models, under
// <model>/<file>. It also stores aliases of models.
type Models struct {
	c      *Conn
	bucket lazy[jetstream.ObjectStore]
}

// ModelFile describes a file of a model.
type ModelFile struct {
	Model, Name string
	Size        int64
	Modified    time.Time
}

// Models returns the models.
func (c *Conn) Models() *Models { return &Models{c: c, bucket: c.objects(ModelBucket)} }

// object returns the name of a model's file in the bucket.
func object(model, file string) (string, error) {
	if !modelPattern.MatchString(model) {
		return "", fmt.Errorf("model %.140q: want 1 to 128 of letters, digits, '.', '-' and '_': %w", model, job.ErrInvalid)
	}
	for part := range strings.SplitSeq(file, "/") {
		if !modelPattern.MatchString(part) {
			return "", fmt.Errorf("model file %.140q: want letters, digits, '.', '-' and '_', and '/' between: %w", file, job.ErrInvalid)
		}
	}
	return model + "/" + file, nil
}

// PutFile stores a file of a model. It replaces a file of the same name.
func (m *Models) PutFile(ctx context.Context, model, file string, r io.Reader) error {
	doing := fmt.Sprintf("put %.140s/%.140s", model, file)
	name, err := object(model, file)
	if err != nil {
		return wrap(doing, err)
	}
	ctx, cancel := transferTime(ctx, unknownSize)
	defer cancel()
	return wrap(doing, m.put(ctx, name, r))
}

func (m *Models) put(ctx context.Context, name string, r io.Reader) error {
	store, err := m.bucket.get(ctx)
	if err == nil {
		_, err = store.Put(ctx, m.c.object(name), r)
	}
	return err
}

// Has reports whether the model with that id exists.
func (m *Models) Has(ctx context.Context, model string) (bool, error) {
	version, err := m.version(ctx, model)
	return version != "", wrap(fmt.Sprintf("check for model %.140s", model), err)
}

// version identifies the stored content of a model; it is "" when there is none. It changes
// when the model is put again under its id.
func (m *Models) version(ctx context.Context, model string) (string, error) {
	name, err := object(model, modelCard)
	if err != nil {
		return "", nil //nolint:nilerr // no model can have such a name
	}
	store, err := m.bucket.get(ctx)
	if err != nil {
		return "", err
	}
	info, err := store.GetInfo(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return info.NUID, nil
}

// ReadFile calls read with a file of a model and its size. It fails with job.ErrNotFound
// when there is no such file. If an attempt cannot read the file to its end, ReadFile tries
// again and calls read again. An error of read itself is final.
func (m *Models) ReadFile(ctx context.Context, model, file string, read func(r io.Reader, size int64) error) error {
	doing := fmt.Sprintf("get %.140s/%.140s", model, file)
	name, err := object(model, file)
	if err != nil {
		return wrap(doing, err)
	}
	store, err := m.bucket.get(ctx)
	if err != nil {
		return wrap(doing, err)
	}
	return wrap(doing, readObject(ctx, store, name, math.MaxInt64, func(r io.Reader, info *jetstream.ObjectInfo) error {
		if info.Size > MaxModelFile {
			return fmt.Errorf("it has %d bytes; a file of a model has at most %d: %w", info.Size, MaxModelFile, job.ErrCorrupt)
		}
		return read(r, int64(info.Size))
	}))
}

// GetFile reads a whole file of a model, with the errors of ReadFile.
func (m *Models) GetFile(ctx context.Context, model, file string) (data []byte, err error) {
	err = m.ReadFile(ctx, model, file, func(r io.Reader, size int64) error {
		data = make([]byte, size)
		_, err := io.ReadFull(r, data)
		return err
	})
	return data, err
}

// OpenFile opens a file of a model. It fails with job.ErrNotFound when there is no such
// file. At the end, Read fails with job.ErrCorrupt when the content differs from what was
// put.
func (m *Models) OpenFile(ctx context.Context, model, file string) (io.ReadCloser, error) {
	name, err := object(model, file)
	if err != nil {
		return nil, wrap(fmt.Sprintf("get %.140s/%.140s", model, file), err)
	}
	return m.c.OpenObject(ctx, ModelBucket+"/"+name)
}

// List returns the files of a model, in order, or of every model when model is "".
func (m *Models) List(ctx context.Context, model string) ([]ModelFile, error) {
	var files []ModelFile
	for info, err := range m.c.allObjects(ctx, &m.bucket) {
		if err != nil {
			return nil, wrap("list models", err)
		}
		owner, name, ok := strings.Cut(info.Name, "/")
		if !ok || !modelPattern.MatchString(owner) || (model != "" && owner != model) {
			continue
		}
		files = append(files, ModelFile{Model: owner, Name: name, Size: int64(info.Size), Modified: info.ModTime})
	}
	slices.SortFunc(files, func(a, b ModelFile) int {
		return strings.Compare(a.Model+"/"+a.Name, b.Model+"/"+b.Name)
	})
	return files, nil
}
