package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"tributary/shared/access"
	"tributary/shared/catalog"
	"tributary/shared/job"
)

// Datasets keeps named data sets.
type Datasets interface {
	// Put stores what open gives as a new version; catalog.Catalog describes it.
	Put(ctx context.Context, name string, a catalog.Added, open func() (io.ReadCloser, error)) (catalog.Version, error)
	// Get returns a version; 0 is the newest.
	Get(ctx context.Context, name string, version int) (catalog.Version, error)
	List(ctx context.Context) ([]catalog.Entry, error)
	// Remove fails with job.ErrConflict if a job needs the version.
	Remove(ctx context.Context, name string, version int) error
}

// NamedVersion is an answer about a version of a named data set.
type NamedVersion struct {
	Name string `json:"name"`
	catalog.Version
}

// PutData stores a source that submitted specs may read as a new version of a named data set.
func (a *API) PutData(ctx context.Context, payload []byte) (NamedVersion, error) {
	var q struct {
		Name   string     `json:"name"`
		Source string     `json:"source"`
		Format job.Format `json:"format"`
	}
	const want = `want {"name":"…","source":"…"}, and "format" if the source's name does not show it`
	if payload = bytes.TrimSpace(payload); len(payload) == 0 {
		return NamedVersion{}, fmt.Errorf("request: it is empty; %s: %w", want, job.ErrInvalid)
	}
	if err := decodeObject(payload, &q); err != nil {
		return NamedVersion{}, fmt.Errorf("request: %w; %s: %w", err, want, job.ErrInvalid)
	}
	if q.Source == "" {
		return NamedVersion{}, fmt.Errorf("source: missing: %s: %w", want, job.ErrInvalid)
	}
	if err := a.Sources.Allowed(q.Source); err != nil {
		return NamedVersion{}, fmt.Errorf("source: %w", err)
	}
	if q.Format == "" {
		q.Format = job.FormatOf(q.Source)
	}
	if a.Datasets == nil || a.OpenSource == nil {
		return NamedVersion{}, errNoDatasets
	}
	v, err := a.Datasets.Put(ctx, q.Name, catalog.Added{Format: q.Format, Source: access.Show(q.Source)}, func() (io.ReadCloser, error) {
		r, err := a.OpenSource(ctx, q.Source)
		if err != nil {
			return nil, fmt.Errorf("source %.200q: %w", access.Show(q.Source), err)
		}
		return r, nil
	})
	if err == nil {
		a.Log.Info().Str("dataset", q.Name).Int("version", v.Version).Int64("bytes", v.Bytes).Msg("data set stored")
	}
	return NamedVersion{q.Name, v}, err
}

var errNoDatasets = fmt.Errorf("this program keeps no named data sets: %w", job.ErrInvalid)

// ListData returns the named data sets, sorted by name, as many as fit into a message.
func (a *API) ListData(ctx context.Context, _ []byte) (map[string][]catalog.Entry, error) {
	if a.Datasets == nil {
		return nil, errNoDatasets
	}
	entries, err := a.Datasets.List(ctx)
	if err != nil {
		return nil, err
	}
	const perVersion = 450
	size := 0
	for i, e := range entries {
		if size += 100 + perVersion*len(e.Versions); size > maxAnswer {
			return nil, fmt.Errorf("the %d data sets do not fit into a message, only the first %d: use coordinator data list: %w", len(entries), i, job.ErrFull)
		}
	}
	if entries == nil {
		entries = []catalog.Entry{}
	}
	return map[string][]catalog.Entry{"datasets": entries}, nil
}

// GetData returns a version of a named data set, without its bytes.
func (a *API) GetData(ctx context.Context, payload []byte) (NamedVersion, error) {
	name, version, err := parseDataset(payload)
	if err != nil {
		return NamedVersion{}, err
	}
	if a.Datasets == nil {
		return NamedVersion{}, errNoDatasets
	}
	v, err := a.Datasets.Get(ctx, name, version)
	return NamedVersion{name, v}, err
}

// RemoveData removes a version of a named data set that no job needs.
func (a *API) RemoveData(ctx context.Context, payload []byte) (map[string]any, error) {
	name, version, err := parseDataset(payload)
	if err != nil {
		return nil, err
	}
	if a.Datasets == nil {
		return nil, errNoDatasets
	}
	if err := a.Datasets.Remove(ctx, name, version); err != nil {
		return nil, err
	}
	a.Log.Info().Str("dataset", name).Int("version", version).Msg("data set removed")
	return map[string]any{"name": name, "version": version, "removed": true}, nil
}

// parseDataset reads <name>, <name>@<version>, or {"name","version"}.
func parseDataset(payload []byte) (name string, version int, err error) {
	payload = bytes.TrimSpace(payload)
	if len(payload) == 0 || payload[0] != '{' {
		return job.ParseDataset(string(bytes.Trim(payload, `"`)))
	}
	var q struct {
		Name    string `json:"name"`
		Version int    `json:"version"`
	}
	if err := decodeObject(payload, &q); err != nil {
		return "", 0, fmt.Errorf(`request: %w; want <name>@<version>, or {"name":"…","version":1}: %w`, err, job.ErrInvalid)
	}
	if q.Version < 0 {
		return "", 0, fmt.Errorf("version: %d: want an integer from 1 on: %w", q.Version, job.ErrInvalid)
	}
	if strings.Contains(q.Name, "@") {
		return "", 0, fmt.Errorf("name: %.80q: want the version in its own field: %w", q.Name, job.ErrInvalid)
	}
	name, _, err = job.ParseDataset(q.Name)
	return name, q.Version, err
}

// resolve replaces the named data sets of a spec by their versions, which it returns. It
// fills in the format of the data.
func (a *API) resolve(ctx context.Context, s *job.Spec) ([]job.Dataset, error) {
	var used []job.Dataset
	for _, f := range s.Data.Sources() {
		if !job.IsDataset(*f.Name) {
			continue
		}
		name, version, err := job.ParseDataset(*f.Name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Field, err)
		}
		if a.Datasets == nil {
			return nil, fmt.Errorf("%s: %.80q: %w", f.Field, *f.Name, errNoDatasets)
		}
		v, err := a.Datasets.Get(ctx, name, version)
		if err != nil {
			if errors.Is(err, job.ErrNotFound) {
				err = fmt.Errorf("%w: %w", err, job.ErrInvalid)
			}
			return nil, fmt.Errorf("%s: %w", f.Field, err)
		}
		if f.Name == &s.Data.Source && s.Data.Format == "" {
			s.Data.Format = v.Format
		}
		*f.Name = fmt.Sprintf("%s%s@%d", job.DatasetPrefix, name, v.Version)
		used = append(used, job.Dataset{Field: f.Field, Name: name, Version: v.Version, SHA256: v.SHA256, Bytes: v.Bytes})
	}
	if used == nil {
		return nil, nil
	}
	s.Default()
	return used, s.Validate()
}
