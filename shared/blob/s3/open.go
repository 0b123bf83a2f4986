package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"tributary/shared/access"
	"tributary/shared/job"
)

// Form is the form of a store's address.
const Form = "s3://BUCKET[/PREFIX][?endpoint=URL&region=REGION]"

// amazon is the endpoint of an address without an endpoint.
const amazon = "https://s3.amazonaws.com"

// tries is how often a request is sent before the operation fails.
const tries = 4

// Open returns the store at an address of the given Form. It uses TLS for an endpoint
// without a scheme. It takes the credentials from the environment (AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), else from the file ~/.aws/credentials, else
// from the machine's role. Open sends nothing.
func Open(address string) (*Store, error) {
	a, err := parse(address)
	if err != nil {
		return nil, fmt.Errorf("blobs %.200q: %w: want %s: %w", access.Show(address), err, Form, job.ErrInvalid)
	}
	client, err := minio.New(a.endpoint.Host, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		}),
		Secure: a.endpoint.Scheme == "https", Region: a.region, MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("blobs %.200q: %w: %w", access.Show(address), err, job.ErrInvalid)
	}
	return &Store{client: client, bucket: a.bucket, prefix: a.prefix}, nil
}

// location is the parts of an address.
type location struct {
	bucket, prefix, region string
	endpoint               *url.URL
}

func parse(address string) (location, error) {
	if !strings.HasPrefix(address, "s3://") {
		return location{}, errNoBucket
	}
	u, err := access.ParseURL(address, "s3")
	if err != nil {
		return location{}, err
	}
	switch {
	case u.User != nil:
		return location{}, errors.New("it has credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead")
	case u.Host == "":
		return location{}, errNoBucket
	}
	l := location{bucket: u.Host, prefix: strings.Trim(u.Path, "/")}
	if l.prefix != "" {
		l.prefix += "/"
	}
	endpoint := amazon
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return location{}, errors.New("its parameters cannot be read")
	}
	for key, values := range query {
		switch key {
		case "endpoint":
			endpoint = values[0]
		case "region":
			l.region = values[0]
		default:
			return location{}, fmt.Errorf("parameter %.40q is unknown", key)
		}
	}
	l.endpoint, err = server(endpoint)
	return l, err
}

var errNoBucket = errors.New("no bucket, or more than a bucket, is named")

// server parses an endpoint.
func server(endpoint string) (*url.URL, error) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := access.ParseURL(endpoint, "http", "https")
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if u.User != nil {
		return nil, errors.New("endpoint: it has credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead")
	}
	if u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("endpoint %.80q is not the address of a server", access.Show(endpoint))
	}
	return u, nil
}

// Check checks that the bucket exists and can be reached.
func (s *Store) Check(ctx context.Context) error {
	doing := "check for bucket " + s.bucket
	there, err := s.client.BucketExists(ctx, s.bucket)
	if err != nil {
		return s.failed(ctx, doing, err)
	}
	if !there {
		return fmt.Errorf("%s: there is none: %w", doing, job.ErrNotFound)
	}
	return nil
}

// missing reports whether err is a server's answer that an object does not exist.
func missing(err error) bool {
	return err != nil && minio.ToErrorResponse(err).Code == minio.NoSuchKey
}

// full has the error codes of a server without space: those of S3's quotas, and those of
// MinIO's disks and quotas.
var full = map[string]bool{
	"QuotaExceeded": true, "XMinioStorageFull": true, "XMinioAdminBucketQuotaExceeded": true, "InsufficientStorage": true,
}

// failed gives an error its class and says which operation failed; nil stays nil.
func (s *Store) failed(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	r := minio.ToErrorResponse(err)
	switch {
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	case r.Code == minio.NoSuchKey:
		err = fmt.Errorf("there is no such blob: %w", job.ErrNotFound)
	case r.Code == minio.NoSuchBucket:
		err = fmt.Errorf("there is no bucket %s", s.bucket)
	case full[r.Code], r.StatusCode == http.StatusInsufficientStorage:
		err = fmt.Errorf("%w: %w", err, job.ErrFull)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
