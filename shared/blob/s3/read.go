package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"tributary/shared/job"
)

// Reader reads the objects of other programs, in any bucket of a server.
type Reader struct{ client *minio.Client }

// Object is an answer to Get. The caller closes the body.
type Object struct {
	Body io.ReadCloser // from the requested offset on
	Size int64         // bytes of the whole object
	Tag  string        // the object's entity tag
}

// NewReader returns a reader for the server that the environment names, as for the aws
// command: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL (by default Amazon's), AWS_REGION or
// AWS_DEFAULT_REGION. The credentials come from where those of Open come from; without any,
// requests are not signed, as public buckets allow. It sends nothing.
func NewReader() (*Reader, error) {
	endpoint := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), amazon)
	u, err := server(endpoint)
	if err != nil {
		return nil, fmt.Errorf("AWS_ENDPOINT_URL: %w: %w", err, job.ErrInvalid)
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds: chain(), Secure: u.Scheme == "https", Region: cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")), MaxRetries: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("S3: %w: %w", err, job.ErrInvalid)
	}
	return &Reader{client}, nil
}

// chain finds the credentials once for all readers of the process.
var chain = sync.OnceValue(func() *credentials.Credentials {
	return credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{}})
})

// Get asks for an object from an offset on. A tag other than "" is that of the version that
// is wanted; Get fails with job.ErrInvalid if the object has changed, or for faults that a
// person can correct.
func (r *Reader) Get(ctx context.Context, bucket, key string, from int64, tag string) (Object, error) {
	var options minio.GetObjectOptions
	if from > 0 {
		if err := options.SetRange(from, 0); err != nil {
			return Object{}, err
		}
	}
	if tag != "" {
		if err := options.SetMatchETag(tag); err != nil {
			return Object{}, err
		}
	}
	body, info, _, err := minio.Core{Client: r.client}.GetObject(ctx, bucket, key, options)
	if err != nil {
		return Object{}, readError(err)
	}
	return Object{body, from + info.Size, strings.Trim(info.ETag, `"`)}, nil
}

// Has reports whether there is an object with this name.
func (r *Reader) Has(ctx context.Context, bucket, key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	_, err := r.client.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
	if missing(err) {
		return false, nil
	}
	return err == nil, readError(err)
}

// List yields the names of the objects with a prefix, in order; unless deep, without those
// that have a "/" after it. An error is the last value.
func (r *Reader) List(ctx context.Context, bucket, prefix string, deep bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o := range r.client.ListObjectsIter(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: deep}) {
			if o.Err != nil {
				yield("", readError(o.Err))
				return
			}
			if !yield(o.Key, nil) {
				return
			}
		}
	}
}

// readError gives an error of reading its class; nil stays nil.
func readError(err error) error {
	r := minio.ToErrorResponse(err)
	temporary := r.StatusCode == 0 || r.StatusCode >= 500 || r.StatusCode == http.StatusRequestTimeout || r.StatusCode == http.StatusTooManyRequests
	switch {
	case err == nil, errors.Is(err, job.ErrInvalid):
		return err
	case r.Code == minio.NoSuchKey:
		return fmt.Errorf("there is no such object: %w", job.ErrInvalid)
	case r.Code == minio.NoSuchBucket:
		return fmt.Errorf("there is no bucket %.80q: %w", r.BucketName, job.ErrInvalid)
	case r.StatusCode == http.StatusPreconditionFailed:
		return fmt.Errorf("changed while it was being read: %w", job.ErrInvalid)
	case temporary:
		return err
	}
	return fmt.Errorf("%w (%s; the credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY): %w", err, r.Code, job.ErrInvalid)
}
