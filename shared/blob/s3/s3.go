// Package s3 implements the blob store with objects in a bucket of Amazon S3, or of any
// server with the same protocol.
//
// It owns the adapter and the form of its address; package blob owns the contract. No other
// package speaks S3. Programs open the store when the flag --blobs names one.
//
// Invariant: an object appears under its name completely or not at all, because a put is
// one request. So a reader never gets a part of a blob.
package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // the protocol's checksum of an object, not a safeguard: Get verifies the SHA-256
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// Store implements blob.Store. Create it with Open.
type Store struct {
	client *minio.Client
	bucket string
	prefix string // prefix of every object's name; "", or it ends in "/"
}

var _ blob.Store = (*Store)(nil)

// transferTime bounds one operation that transfers about size bytes, including its retries.
// It applies to a context without a deadline.
func transferTime(ctx context.Context, size int) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, 30*time.Second+time.Duration(size>>20)*time.Second)
}

// unknownSize is the assumed size of a blob before it is read, in bytes.
const unknownSize = 600 << 20

// Put implements blob.Store. It does not touch an object that has the same checksum. It
// overwrites an object that is damaged, or that another program put in another way.
func (s *Store) Put(ctx context.Context, data []byte) (job.Digest, error) {
	digest := blob.DigestOf(data)
	doing := "put blob " + string(digest)
	if int64(len(data)) > blob.MaxBytes {
		return "", fmt.Errorf("%s: it has %d bytes; at most %d are allowed: %w", doing, len(data), int64(blob.MaxBytes), job.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("%s: %w", doing, err)
	}
	ctx, cancel := transferTime(ctx, len(data))
	defer cancel()
	info, err := s.client.StatObject(ctx, s.bucket, s.name(digest), minio.StatObjectOptions{})
	switch {
	case err == nil && same(info, data):
		return digest, nil
	case err != nil && !missing(err):
		return "", s.failed(ctx, doing, err)
	}
	_, err = s.client.PutObject(ctx, s.bucket, s.name(digest), bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{
		ContentType: "application/octet-stream", DisableMultipart: true, SendContentMd5: true,
		DisableContentSha256: len(data) == 0, // an empty body cannot be signed in chunks
	})
	if err != nil {
		return "", s.failed(ctx, doing, err)
	}
	return digest, nil
}

// same reports whether an object certainly has the content data. The entity tag of an
// object that was put in one request is its MD5, unless the server encrypts the object.
func same(info minio.ObjectInfo, data []byte) bool {
	if info.Size != int64(len(data)) {
		return false
	}
	sum := md5.Sum(data) //nolint:gosec // see above
	return strings.Trim(info.ETag, `"`) == hex.EncodeToString(sum[:])
}

// Get implements blob.Store.
func (s *Store) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	doing := fmt.Sprintf("get blob %.80s", string(digest))
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	if !blob.IsDigest(digest) {
		return nil, fmt.Errorf("%s: this is not a digest: %w", doing, job.ErrNotFound)
	}
	ctx, cancel := transferTime(ctx, unknownSize)
	defer cancel()
	object, err := s.client.GetObject(ctx, s.bucket, s.name(digest), minio.GetObjectOptions{})
	if err != nil {
		return nil, s.failed(ctx, doing, err)
	}
	defer object.Close()
	var data bytes.Buffer
	n, err := io.Copy(&data, io.LimitReader(object, blob.MaxBytes+1))
	switch {
	case err != nil:
		return nil, s.failed(ctx, doing, err)
	case n > blob.MaxBytes:
		return nil, fmt.Errorf("%s: it has more than %d bytes: %w", doing, int64(blob.MaxBytes), job.ErrCorrupt)
	}
	return data.Bytes(), blob.Verify(digest, data.Bytes())
}

// Has implements blob.Store.
func (s *Store) Has(ctx context.Context, digest job.Digest) (bool, error) {
	doing := fmt.Sprintf("check for blob %.80s", string(digest))
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	if !blob.IsDigest(digest) {
		return false, nil
	}
	ctx, cancel := transferTime(ctx, 0)
	defer cancel()
	_, err := s.client.StatObject(ctx, s.bucket, s.name(digest), minio.StatObjectOptions{})
	if missing(err) {
		return false, nil
	}
	return err == nil, s.failed(ctx, doing, err)
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, digest job.Digest) error {
	doing := fmt.Sprintf("delete blob %.80s", string(digest))
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if !blob.IsDigest(digest) {
		return nil
	}
	ctx, cancel := transferTime(ctx, 0)
	defer cancel()
	err := s.client.RemoveObject(ctx, s.bucket, s.name(digest), minio.RemoveObjectOptions{})
	if missing(err) {
		return nil
	}
	return s.failed(ctx, doing, err)
}

// name returns the name of a blob's object.
func (s *Store) name(digest job.Digest) string { return s.prefix + string(digest) }
