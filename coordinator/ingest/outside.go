package ingest

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Outside reads what lies outside of files. Package place implements it. Faults that a person
// can correct are job.ErrInvalid.
type Outside interface {
	// Web opens a file of a web server. allowed reports whether an address may be read, also
	// that of a redirect; nil allows all.
	Web(ctx context.Context, address string, allowed func(*url.URL) bool) (io.ReadCloser, error)
	// S3 opens an object of an S3 server.
	S3(ctx context.Context, address string) (io.ReadCloser, error)
	// ListS3 lists the addresses of at most so many objects, in order.
	ListS3(ctx context.Context, address string, most int) ([]string, error)
	// Postgres and SQLite start a statement.
	Postgres(ctx context.Context, address, statement string) (tabular.Rows, error)
	SQLite(ctx context.Context, path, statement string) (tabular.Rows, error)
}

// outside returns what reads places outside of files.
func (r *Roots) outside() Outside {
	if r.Outside == nil {
		return nowhere{}
	}
	return r.Outside
}

// nowhere is an Outside that reads nothing.
type nowhere struct{}

var errNowhere = fmt.Errorf("this program reads files alone: %w", job.ErrInvalid)

func (nowhere) Web(context.Context, string, func(*url.URL) bool) (io.ReadCloser, error) {
	return nil, errNowhere
}
func (nowhere) S3(context.Context, string) (io.ReadCloser, error)     { return nil, errNowhere }
func (nowhere) ListS3(context.Context, string, int) ([]string, error) { return nil, errNowhere }
func (nowhere) Postgres(context.Context, string, string) (tabular.Rows, error) {
	return nil, errNowhere
}

func (nowhere) SQLite(context.Context, string, string) (tabular.Rows, error) { return nil, errNowhere }
