package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"tributary/shared/access"
	"tributary/shared/dataset/tabular"
	"tributary/shared/hint"
	"tributary/shared/job"
)

// Opener opens the sources that a spec names. A source may be opened more than once and
// must give the same bytes each time. A fault that a user can correct fails with
// job.ErrInvalid.
type Opener interface {
	Open(ctx context.Context, source string) (io.ReadCloser, error)
}

// Roots opens paths and file:PATH below folders. It opens nats: sources and other jobs'
// parameters through functions. The zero Roots opens nothing.
type Roots struct {
	// Folders are the data roots. A source is a path from the working directory if that
	// lies below a root. Otherwise it is a path from each root in turn. Neither ".." nor
	// a symbolic link leads out of a root.
	Folders []string
	// Anywhere allows every file that the process may read. It is for specs of the user
	// who runs the process.
	Anywhere bool
	// Outside reads places outside of files; nil: they are not read. Places are those that may
	// be read unless Anywhere.
	Outside Outside
	Places  []Allowance
	// Object opens nats:<bucket>/<object>; nil refuses such sources.
	Object func(ctx context.Context, bucket, object string) (io.ReadCloser, error)
	// Dataset opens a version of a named data set, dataset:<name>@<version>; nil refuses such
	// sources.
	Dataset func(ctx context.Context, name string, version int) (io.ReadCloser, error)
	// Job opens job:<id> and checkpoint:<id>@<step>, the parameters of another job; nil
	// refuses such sources.
	Job func(ctx context.Context, source string) (io.ReadCloser, error)
}

// Open opens a source.
func (r *Roots) Open(ctx context.Context, source string) (io.ReadCloser, error) {
	if rest, ok := strings.CutPrefix(source, "nats:"); ok {
		bucket, object, _ := strings.Cut(rest, "/")
		if bucket == "" || object == "" {
			return nil, fmt.Errorf("want nats:<bucket>/<object>: %w", job.ErrInvalid)
		}
		if r.Object == nil {
			return nil, fmt.Errorf("no object store is connected to read nats: sources from: %w", job.ErrInvalid)
		}
		return r.Object(ctx, bucket, object)
	}
	if job.IsDataset(source) {
		name, version, err := job.ParseDataset(source)
		if err != nil {
			return nil, err
		}
		if r.Dataset == nil {
			return nil, fmt.Errorf("%.80q: this program is not connected to named data sets: %w", source, job.ErrInvalid)
		}
		return r.Dataset(ctx, name, version)
	}
	if ofJob(source) {
		if r.Job == nil {
			return nil, fmt.Errorf("%.20q: this program is not connected to a coordinator's jobs: %w", source, job.ErrInvalid)
		}
		return r.Job(ctx, source)
	}
	if job.IsWeb(source) || job.IsS3(source) {
		return r.openAddress(ctx, source)
	}
	if job.IsDatabase(source) {
		return nil, fmt.Errorf("a database is read with format sql and a query: %w", job.ErrInvalid)
	}
	path, isFile := strings.CutPrefix(source, "file:")
	if isFile {
		var err error
		if path, err = fileURL(path); err != nil {
			return nil, err
		}
	} else if scheme, _, ok := strings.Cut(source, "://"); ok {
		return nil, fmt.Errorf("scheme %.20q: want a path, file:PATH, nats:<bucket>/<object>, https://HOST/PATH or s3://BUCKET/KEY: %w", scheme, job.ErrInvalid)
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, fmt.Errorf("want the path of a file: %w", job.ErrInvalid)
	}
	if r.Anywhere {
		f, err := regular(func() (fs.FileInfo, error) { return os.Stat(path) }, func() (*os.File, error) { return os.Open(path) })
		return f, nearby(err, path, os.DirFS(filepath.Dir(path)))
	}
	return r.below(path)
}

// fileURL returns the path of a file: URL without its scheme.
func fileURL(rest string) (string, error) {
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		rest = strings.TrimPrefix(after, "localhost")
	}
	path, err := url.PathUnescape(rest)
	if err != nil {
		return "", fmt.Errorf("%w: in a file: URL write %% as %%25: %w", err, job.ErrInvalid)
	}
	return path, nil
}

// ofJob reports whether a source is another job's parameters.
func ofJob(source string) bool {
	return strings.HasPrefix(source, "job:") || strings.HasPrefix(source, "checkpoint:")
}

// below opens a path below the roots.
func (r *Roots) below(path string) (io.ReadCloser, error) {
	outside := fmt.Errorf("file is outside the data roots %q: %w", r.Folders, job.ErrInvalid)
	err := outside
	for _, c := range r.candidates(path) {
		var f io.ReadCloser
		if f, err = c.open(); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, err
}

// candidate is a path below a root.
type candidate struct{ root, path string }

func (r *Roots) candidates(path string) []candidate {
	var cs []candidate
	if abs, err := filepath.Abs(path); err == nil {
		for _, root := range r.Folders {
			absRoot, err := filepath.Abs(root)
			if err != nil {
				continue
			}
			if rel, err := filepath.Rel(absRoot, abs); err == nil && filepath.IsLocal(rel) {
				cs = append(cs, candidate{root, rel})
			}
		}
	}
	if filepath.IsLocal(path) {
		for _, root := range r.Folders {
			cs = append(cs, candidate{root, path})
		}
	}
	return cs
}

func (c candidate) open() (io.ReadCloser, error) {
	root, err := os.OpenRoot(c.root)
	if err != nil {
		return nil, fmt.Errorf("open data root: %w: %w", err, job.ErrInvalid)
	}
	defer root.Close()
	f, err := regular(func() (fs.FileInfo, error) { return root.Stat(c.path) }, func() (*os.File, error) { return root.Open(c.path) })
	if err == nil {
		return f, nil
	}
	folder, subErr := fs.Sub(root.FS(), filepath.ToSlash(filepath.Dir(c.path)))
	if subErr != nil {
		return nil, err
	}
	return nil, nearby(err, c.path, folder)
}

// mostFiles is the maximum number of files of a folder that nearby compares with a name.
const mostFiles = 10_000

// nearby adds the most similar file name of the folder to the error of a missing file.
func nearby(err error, path string, folder fs.FS) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d, openErr := folder.Open(".")
	if openErr != nil {
		return err
	}
	defer d.Close()
	list, ok := d.(fs.ReadDirFile)
	if !ok {
		return err
	}
	entries, _ := list.ReadDir(mostFiles) // uses what could be read of it
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	if near := hint.For(filepath.Base(path), names); near != "" {
		return fmt.Errorf("%w%s: %w", cause(fs.ErrNotExist), near, job.ErrInvalid)
	}
	return err
}

// regular opens a file after it has checked that it is a regular file, because a pipe
// would block.
func regular(stat func() (fs.FileInfo, error), open func() (*os.File, error)) (io.ReadCloser, error) {
	info, err := stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cause(err), job.ErrInvalid)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file: %w", job.ErrInvalid)
	}
	f, err := open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cause(err), job.ErrInvalid)
	}
	return f, nil
}

// cause removes the operation and the path from an error; the caller names them.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// with opens a source and passes its unpacked content to read. Errors name the field and
// the source.
func (in *Ingest) with(ctx context.Context, field, source string, read func(*tabular.Source) error) error {
	return in.withLimit(ctx, field, source, in.limit(), read)
}

// withLimit is with for at most limit bytes of unpacked content.
func (in *Ingest) withLimit(ctx context.Context, field, source string, limit int64, read func(*tabular.Source) error) error {
	named := func(err error) error { return fmt.Errorf("%s %q: %w", field, access.Show(source), err) }
	f, err := in.Sources.Open(ctx, source)
	if err != nil {
		return named(err)
	}
	defer f.Close()
	content, err := tabular.Open(ctx, f, limit)
	if err != nil {
		return named(err)
	}
	defer content.Close()
	if err := read(content); err != nil {
		return named(err)
	}
	return nil
}

// Allowed reports whether a source may be read, without reading it. It fails with
// job.ErrInvalid for a path that does not exist or is outside the data roots. It does not
// check whether a nats: object, another job's parameters or something outside of the machine
// exists; Open does.
func (r *Roots) Allowed(source string) error {
	if strings.HasPrefix(source, "nats:") || job.IsDataset(source) || ofJob(source) {
		return nil
	}
	if job.IsDatabase(source) {
		return r.allowedDatabase(source)
	}
	if job.IsWeb(source) || job.IsS3(source) {
		if err := r.allowedAddress(source); err != nil {
			return fmt.Errorf("%q: %w", access.Show(source), err)
		}
		return nil
	}
	found, err := r.List(context.Background(), source) // of local files
	if err != nil {
		return fmt.Errorf("%q: %w", access.Show(source), err)
	}
	f, err := r.Open(context.Background(), found[0]) // the others are files below the same folder
	if err != nil {
		return fmt.Errorf("%q: %w", access.Show(source), err)
	}
	return f.Close()
}
