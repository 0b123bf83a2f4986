package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"tributary/shared/blob"
	"tributary/shared/job"
)

var _ blob.Lister = (*Store)(nil)

// List implements blob.Lister. The server answers in pages of 1,000 objects.
func (s *Store) List(ctx context.Context) iter.Seq2[blob.Stored, error] {
	return func(yield func(blob.Stored, error) bool) {
		ctx, cancel := context.WithCancel(ctx) // ends the listing when the reader stops
		defer cancel()
		for info := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix}) {
			if info.Err != nil {
				yield(blob.Stored{}, s.failed(ctx, "list blobs", info.Err))
				return
			}
			digest := job.Digest(strings.TrimPrefix(info.Key, s.prefix))
			if blob.IsDigest(digest) && !yield(blob.Stored{Digest: digest, Time: info.LastModified}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(blob.Stored{}, fmt.Errorf("list blobs: %w", err))
		}
	}
}

// Tidy implements blob.Lister. There is nothing to remove: a put is one request, so an
// interrupted one leaves nothing.
func (s *Store) Tidy(ctx context.Context, _ time.Time) error { return ctx.Err() }

// Claim implements blob.Lister. The origin is the content of the object "origin".
func (s *Store) Claim(ctx context.Context, origin string) (string, error) {
	const doing = "claim blobs"
	ctx, cancel := transferTime(ctx, 0)
	defer cancel()
	name := s.prefix + blob.ClaimName
	noted, err := s.readClaim(ctx, name)
	if !missing(err) {
		return noted, s.failed(ctx, doing, err)
	}
	_, err = s.client.PutObject(ctx, s.bucket, name, strings.NewReader(origin), int64(len(origin)), minio.PutObjectOptions{
		ContentType: "text/plain", DisableMultipart: true, SendContentMd5: true,
	})
	if err != nil {
		return "", s.failed(ctx, doing, err)
	}
	noted, err = s.readClaim(ctx, name) // another origin may have been faster
	return noted, s.failed(ctx, doing, err)
}

func (s *Store) readClaim(ctx context.Context, name string) (string, error) {
	object, err := s.client.GetObject(ctx, s.bucket, name, minio.GetObjectOptions{})
	if err != nil {
		return "", err
	}
	defer object.Close()
	var noted bytes.Buffer
	_, err = io.Copy(&noted, io.LimitReader(object, blob.MaxClaim))
	return noted.String(), err
}
