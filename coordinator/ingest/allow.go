package ingest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tributary/shared/access"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Allowance is a place outside of files that submitted specs may name: a database, or what
// lies below an address. Create it with Allow.
type Allowance struct {
	address string
	key     string // scheme, host and port
	user    string
	path    string
}

// Allow parses the addresses of places that specs may name: exactly the database
// postgres://[USER@]HOST[:PORT]/DATABASE, or everything below https://HOST[:PORT][/PATH] (or
// http) or s3://BUCKET[/PREFIX]. Errors are job.ErrInvalid and do not show a password.
func Allow(addresses []string) ([]Allowance, error) {
	var out []Allowance
	for _, text := range addresses {
		a, err := allowance(text)
		if err != nil {
			return nil, fmt.Errorf("place %.200q: %w", access.Show(text), err)
		}
		out = append(out, a)
	}
	return out, nil
}

func allowance(text string) (Allowance, error) {
	if wrong := job.CheckPlace(text); wrong != "" {
		return Allowance{}, fmt.Errorf("%s: %w", wrong, job.ErrInvalid)
	}
	if job.IsS3(text) {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(text, "s3://"), "/")
		return Allowance{address: text, key: "s3://" + bucket, path: "/" + key}, nil
	}
	u, err := url.Parse(text)
	if err != nil || !job.IsPostgres(text) && (!job.IsWeb(text) || u.RawQuery != "") {
		return Allowance{}, fmt.Errorf("want postgres://USER@HOST/DATABASE, https://HOST/PATH or s3://BUCKET/PREFIX: %w", job.ErrInvalid)
	}
	return Allowance{text, placeKey(u), u.User.Username(), u.Path}, nil
}

// placeKey is what the addresses of one server have in common.
func placeKey(u *url.URL) string {
	scheme, port := u.Scheme, u.Port()
	if scheme == "postgresql" {
		scheme = "postgres"
	}
	if port == "" {
		port = map[string]string{"postgres": "5432", "https": "443", "http": "80"}[scheme]
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// openAddress opens a file outside of the machine.
func (r *Roots) openAddress(ctx context.Context, source string) (io.ReadCloser, error) {
	if err := r.allowedAddress(source); err != nil {
		return nil, err
	}
	if job.IsS3(source) {
		return r.outside().S3(ctx, source)
	}
	if r.Anywhere {
		return r.outside().Web(ctx, source, nil)
	}
	return r.outside().Web(ctx, source, r.within)
}

// allowedAddress refuses a file outside of the machine that may not be read.
func (r *Roots) allowedAddress(source string) error {
	if wrong := job.CheckPlace(source); wrong != "" {
		return fmt.Errorf("%s: %w", wrong, job.ErrInvalid)
	}
	if r.Anywhere {
		return nil
	}
	ok := false
	if job.IsS3(source) {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(source, "s3://"), "/")
		ok = r.places("s3://"+bucket, "/"+key)
	} else if u, err := url.Parse(source); err == nil {
		ok = r.within(u)
	}
	if !ok {
		return fmt.Errorf("this address is not among the places that the coordinator allows (--data-place): %w", job.ErrInvalid)
	}
	return nil
}

// within reports whether an address lies below one of the places. A path with "." or ".."
// lies nowhere.
func (r *Roots) within(u *url.URL) bool {
	name := cmp.Or(u.Path, "/")
	clean := path.Clean(name) == cmp.Or(strings.TrimSuffix(name, "/"), "/")
	return clean && r.places(placeKey(u), name)
}

// places reports whether a path of a server or a bucket is that of a place, or below it.
func (r *Roots) places(key, name string) bool {
	return slices.ContainsFunc(r.Places, func(p Allowance) bool {
		folder := strings.TrimSuffix(p.path, "/")
		return p.key == key && (name == folder || strings.HasPrefix(name, folder+"/"))
	})
}

// Query implements Querier.
func (r *Roots) Query(ctx context.Context, source, statement string) (tabular.Rows, error) {
	if job.IsPostgres(source) {
		address, err := r.postgres(source)
		if err != nil {
			return nil, err
		}
		return r.outside().Postgres(ctx, address, statement)
	}
	name, err := r.sqlite(ctx, source)
	if err != nil {
		return nil, err
	}
	return r.outside().SQLite(ctx, name, statement)
}

// postgres returns the address with which a database is reached: for a submitted spec it is
// the operator's, so that a spec chooses neither the user nor how the server is checked.
func (r *Roots) postgres(source string) (string, error) {
	if wrong := job.CheckPlace(source); wrong != "" {
		return "", fmt.Errorf("%s: %w", wrong, job.ErrInvalid)
	}
	if r.Anywhere {
		return source, nil
	}
	a, err := allowance(source)
	if err != nil {
		return "", err
	}
	for _, p := range r.Places {
		if p.key == a.key && p.path == a.path && (a.user == "" || a.user == p.user) && !strings.Contains(source, "?") {
			return p.address, nil
		}
	}
	return "", fmt.Errorf("this database is not among the places that the coordinator allows (--data-place), or the address has another user, or parameters: %w", job.ErrInvalid)
}

// sqlite returns the path of a file of SQLite. For a submitted spec it lies below a root,
// without symbolic links.
func (r *Roots) sqlite(ctx context.Context, source string) (string, error) {
	name, err := sqlitePath(source)
	if err != nil {
		return "", err
	}
	f, err := r.Open(ctx, fileSource(name))
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	if r.Anywhere {
		return name, nil
	}
	for _, c := range r.candidates(name) {
		root, err := filepath.EvalSymlinks(c.root)
		if err != nil {
			continue
		}
		at := filepath.Join(root, c.path)
		if target, err := filepath.EvalSymlinks(at); err == nil && target == at {
			if info, err := os.Lstat(at); err == nil && info.Mode().IsRegular() {
				return at, nil
			}
		}
	}
	return "", fmt.Errorf("a file of SQLite is read without symbolic links below the data roots: %w", job.ErrInvalid)
}

// sqlitePath returns the path of sqlite:PATH, sqlite://PATH or sqlite:///PATH.
func sqlitePath(source string) (string, error) {
	name := strings.TrimPrefix(source, "sqlite:")
	if after, ok := strings.CutPrefix(name, "//"); ok {
		name = after
	}
	name, err := url.PathUnescape(name)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: in a sqlite: address write %% as %%25: %w", err, job.ErrInvalid)
	case name == "" || strings.ContainsAny(name, "?\x00"):
		return "", fmt.Errorf("want sqlite:PATH of a file: %w", job.ErrInvalid)
	}
	return name, nil
}

// allowedDatabase reports whether a database may be asked, without asking it.
func (r *Roots) allowedDatabase(source string) (err error) {
	if job.IsPostgres(source) {
		_, err = r.postgres(source)
	} else {
		_, err = r.sqlite(context.Background(), source) // looks at a local file
	}
	if err != nil {
		return fmt.Errorf("%q: %w", access.Show(source), err)
	}
	return nil
}
