package broker

import (
	"bytes"
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

	"tributary/shared/blob"
	"tributary/shared/job"
)

// MaxModelFile bounds one file of a model in bytes: the most parameters that a model
// may have, 1 GiB, and what belongs to them.
const MaxModelFile = 1<<30 + 32<<20

// aliasPrefix is where aliases are kept among the models; no model's name can
// begin so.
const aliasPrefix = "@alias/"

var modelPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Models keeps the files of trained models in the object bucket for models, as
// <model>/<file>, and other names for models.
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

// PutFile stores a file of a model, replacing what was there.
func (m *Models) PutFile(ctx context.Context, model, file string, r io.Reader) error {
	doing := fmt.Sprintf("put %.140s/%.140s", model, file)
	name, err := object(model, file)
	if err != nil {
		return wrap(doing, err)
	}
	ctx, cancel := transferTime(ctx, unknownSize)
	defer cancel()
	store, err := m.bucket.get(ctx)
	if err == nil {
		_, err = store.Put(ctx, jetstream.ObjectMeta{Name: name}, r)
	}
	return wrap(doing, err)
}

// ReadFile hands a file of a model to read, with its size. It fails with
// job.ErrNotFound when there is none of that name. It calls read again after an
// attempt in which the file could not be read to its end; an error of read's own is
// final.
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
			return fmt.Errorf("it has %d bytes; no model's file has more than %d: %w", info.Size, MaxModelFile, job.ErrCorrupt)
		}
		return read(r, int64(info.Size))
	}))
}

// GetFile reads a file of a model whole, as ReadFile does.
func (m *Models) GetFile(ctx context.Context, model, file string) (data []byte, err error) {
	err = m.ReadFile(ctx, model, file, func(r io.Reader, size int64) error {
		data = make([]byte, size)
		_, err := io.ReadFull(r, data)
		return err
	})
	return data, err
}

// OpenFile opens a file of a model. It fails with job.ErrNotFound when there is none
// of that name. Reading fails with job.ErrCorrupt at the end when the content is not
// what was put.
func (m *Models) OpenFile(ctx context.Context, model, file string) (io.ReadCloser, error) {
	name, err := object(model, file)
	if err != nil {
		return nil, wrap(fmt.Sprintf("get %.140s/%.140s", model, file), err)
	}
	return m.c.OpenObject(ctx, ModelBucket+"/"+name)
}

// List lists the files of a model, of every model when model is "", in order.
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

// Delete removes every file of a model and the names that stand for it; a model
// that is not there is no error.
func (m *Models) Delete(ctx context.Context, model string) error {
	if _, err := object(model, "x"); err != nil {
		return wrap("delete model", err)
	}
	files, err := m.List(ctx, model)
	if err != nil {
		return err
	}
	store, err := m.bucket.get(ctx)
	if err != nil {
		return wrap("delete model "+model, err)
	}
	names, err := m.aliases(ctx, model)
	if err != nil {
		return wrap("delete model "+model, err)
	}
	for _, f := range files {
		names = append(names, f.Model+"/"+f.Name)
	}
	for _, name := range names {
		if err := erase(ctx, m.c.js, ModelBucket, store, name); err != nil {
			return wrap("delete model "+model, err)
		}
	}
	return nil
}

// aliases lists the objects in which model is what an alias stands for.
func (m *Models) aliases(ctx context.Context, model string) ([]string, error) {
	var names []string
	content := blob.DigestOf([]byte(model))
	for info, err := range m.c.allObjects(ctx, &m.bucket) {
		if err != nil {
			return nil, err
		}
		alias, ok := strings.CutPrefix(info.Name, aliasPrefix)
		if !ok || !sameContent(info, content) {
			continue // what each of many aliases stands for need not be read
		}
		if stands, err := m.Resolve(ctx, alias); err == nil && stands == model {
			names = append(names, info.Name)
		} else if err != nil && !errors.Is(err, job.ErrNotFound) {
			return nil, err
		}
	}
	return names, nil
}

// SetAlias makes alias another name for model, instead of what it stood for.
func (m *Models) SetAlias(ctx context.Context, alias, model string) error {
	doing := fmt.Sprintf("name model %.140s %.140s", model, alias)
	for _, name := range []string{alias, model} {
		if _, err := object(name, "x"); err != nil {
			return wrap(doing, err)
		}
	}
	store, err := m.bucket.get(ctx)
	if err == nil {
		_, err = store.Put(ctx, jetstream.ObjectMeta{Name: aliasPrefix + alias}, bytes.NewReader([]byte(model)))
	}
	return wrap(doing, err)
}

// Resolve returns the model that an alias stands for. It fails with
// job.ErrNotFound when there is no such alias.
func (m *Models) Resolve(ctx context.Context, alias string) (string, error) {
	doing := fmt.Sprintf("find model %.140s", alias)
	if _, err := object(alias, "x"); err != nil {
		return "", fmt.Errorf("%s: there is none of that name: %w", doing, job.ErrNotFound)
	}
	store, err := m.bucket.get(ctx)
	if err != nil {
		return "", wrap(doing, err)
	}
	var data []byte
	err = readObject(ctx, store, aliasPrefix+alias, 256, func(r io.Reader, info *jetstream.ObjectInfo) error {
		data, err = whole(r, info)
		return err
	})
	if err != nil {
		return "", wrap(doing, err)
	}
	if !modelPattern.Match(data) {
		return "", fmt.Errorf("%s: it stands for %.140q, which is no model's name: %w", doing, data, job.ErrCorrupt)
	}
	return string(data), nil
}
