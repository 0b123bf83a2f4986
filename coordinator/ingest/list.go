package ingest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tributary/shared/access"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Lister is an Opener that finds the files of a source that is a folder or has wildcards.
type Lister interface {
	// List returns the sources of the files, sorted by name. For a source that is one
	// file, or that it does not list, it returns the source itself. It fails with
	// job.ErrInvalid if there is no such file.
	List(ctx context.Context, source string) ([]string, error)
}

// maxFiles limits the files of a source.
const maxFiles = 10_000

// list returns the files of a source. From a folder it takes those whose name shows the
// format.
func (w *work) list(ctx context.Context, format job.Format, f files) ([]string, error) {
	lister, ok := w.Sources.(Lister)
	if !ok {
		return []string{f.source}, ctx.Err()
	}
	found, err := lister.List(ctx, f.source)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", f.field, access.Show(f.source), err)
	}
	if len(found) == 1 && found[0] == f.source {
		return found, ctx.Err()
	}
	other := len(found)
	if !wildcards(f.source) {
		found = slices.DeleteFunc(found, func(name string) bool { return job.FormatOf(name) != cmpFormat(format) })
	}
	if other -= len(found); len(found) == 0 {
		return nil, fmt.Errorf("%s %q: no file whose name shows the format %s: %w", f.field, access.Show(f.source), cmpFormat(format), job.ErrInvalid)
	}
	out := ""
	if other > 0 {
		out = fmt.Sprintf(" (%d files of other names are left out)", other)
	}
	w.say("%s: %d files, sorted by name, from %s to %s%s", f.field, len(found), access.Show(path.Base(filepath.ToSlash(found[0]))),
		access.Show(path.Base(filepath.ToSlash(found[len(found)-1]))), out)
	return found, ctx.Err()
}

// cmpFormat is the format of a source, CSV if the spec has none.
func cmpFormat(f job.Format) job.Format {
	if f == "" {
		return job.CSV
	}
	return f
}

// wildcards reports whether a source has wildcards.
func wildcards(source string) bool { return strings.ContainsAny(source, "*?[") }

// withAll passes the number and the unpacked content of each source to read, in order. All of them
// together have at most the bytes that a source may have.
func (in *Ingest) withAll(ctx context.Context, field string, sources []string, read func(k int, content *tabular.Source) error) error {
	left := in.limit()
	for k, source := range sources {
		err := in.withLimit(ctx, field, source, max(left, 1), func(content *tabular.Source) error {
			err := read(k, content)
			left -= content.Bytes()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// List returns the files of a folder, or those that fit wildcards, below the data roots; or
// such objects of an S3 server.
func (r *Roots) List(ctx context.Context, source string) ([]string, error) {
	if job.IsS3(source) {
		if err := r.allowedAddress(source); err != nil {
			return nil, err
		}
		return r.outside().ListS3(ctx, source, maxFiles)
	}
	if strings.HasPrefix(source, "nats:") || job.IsDataset(source) || ofJob(source) || job.IsDatabase(source) || job.IsWeb(source) {
		return []string{source}, nil
	}
	name, isFile := strings.CutPrefix(source, "file:")
	if isFile {
		var err error
		if name, err = fileURL(name); err != nil {
			return nil, err
		}
	}
	if name == "" || strings.ContainsRune(name, 0) || strings.Contains(source, "://") && !isFile {
		return []string{source}, nil // Open refuses it
	}
	if r.Anywhere {
		dir, pattern := rooted(name)
		root, err := os.OpenRoot(dir)
		if err != nil {
			return []string{source}, nil // Open explains it
		}
		defer root.Close()
		return listed(root.FS(), dir, pattern, source)
	}
	for _, c := range r.candidates(name) {
		root, err := os.OpenRoot(c.root)
		if err != nil {
			continue // Open explains it
		}
		found, err := listed(root.FS(), c.root, filepath.ToSlash(c.path), source)
		_ = root.Close() // only read
		if err != nil || len(found) != 1 || found[0] != source {
			return found, err
		}
	}
	return []string{source}, nil
}

// rooted splits a path into a folder without wildcards and the rest.
func rooted(name string) (dir, rest string) {
	dir, rest = filepath.Split(filepath.Clean(name))
	for wildcards(dir) {
		up, last := filepath.Split(filepath.Clean(dir))
		dir, rest = up, last+"/"+rest
	}
	if dir == "" {
		dir = "."
	}
	return dir, rest
}

// listed returns the files of a folder or of wildcards below a root as file: sources. If
// there is nothing to list, it returns the source itself.
func listed(root fs.FS, dir, name, source string) ([]string, error) {
	name = path.Clean(name)
	info, err := fs.Stat(root, name)
	if err == nil && !info.IsDir() {
		return []string{source}, nil
	}
	pattern := name
	switch {
	case err == nil:
		pattern = path.Join(escaped(name), "*")
	case !wildcards(name):
		return []string{source}, nil
	}
	matches, err := fs.Glob(root, pattern)
	if err != nil {
		return nil, fmt.Errorf("the wildcards are malformed: want * and ? for any characters, [a-z] for one of some: %w", job.ErrInvalid)
	}
	var found []string
	for _, m := range matches {
		info, err := fs.Stat(root, m)
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(path.Base(m), ".") {
			continue
		}
		if found = append(found, fileSource(filepath.Join(dir, filepath.FromSlash(m)))); len(found) > maxFiles {
			return nil, fmt.Errorf("over %d files: want at most that many: %w", maxFiles, job.ErrInvalid)
		}
	}
	if len(found) == 0 && pattern == name {
		return []string{source}, nil // maybe another root has some
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no files in this folder: %w", job.ErrInvalid)
	}
	slices.Sort(found)
	return found, nil
}

// fileSource is the source that names a path, which may look like something else.
func fileSource(name string) string { return "file:" + strings.ReplaceAll(name, "%", "%25") }

// escaped takes the meaning from the wildcards of a path.
func escaped(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}
