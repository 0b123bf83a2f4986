package broker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// Blobs implements blob.Store with the object bucket for blobs.
//
// When an object is put again, NATS removes its old chunks, even while a client reads them.
// So within one process, puts of the same digest run one after the other, and the later
// ones find the object. Readers in other processes must retry.
type Blobs struct {
	c      *Conn
	bucket lazy[jetstream.ObjectStore]
	locks  [64]chan struct{} // each of capacity 1; a put holds the one of its digest
}

// Blobs returns the blob store. A process must share one: two stores do not know about each
// other's puts.
func (c *Conn) Blobs() *Blobs {
	b := &Blobs{c: c, bucket: c.objects(BlobBucket)}
	for i := range b.locks {
		b.locks[i] = make(chan struct{}, 1)
	}
	return b
}

// lock waits until no other put of the digest runs in this process. end lets the next one
// run.
func (b *Blobs) lock(ctx context.Context, digest job.Digest) (end func(), err error) {
	t := b.locks[xxhash.Sum64String(string(digest))%uint64(len(b.locks))]
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Conn) objects(bucket string) lazy[jetstream.ObjectStore] {
	return lazy[jetstream.ObjectStore]{open: func(ctx context.Context) (jetstream.ObjectStore, error) {
		return c.js.ObjectStore(ctx, bucket)
	}}
}

// chunkRoom is the bytes of a message in addition to its chunk of an object: its subject
// and headers.
const chunkRoom = 4 << 10

// object returns the description of an object that is about to be put. Its chunks fit in
// the messages that the server accepts.
func (c *Conn) object(name string) jetstream.ObjectMeta {
	size := int64(largestChunk)
	if most := c.nc.MaxPayload(); most > 0 {
		size = min(size, max(most-chunkRoom, most/2, 1))
	}
	return jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(size)}}
}

// largestChunk is the default of the client library, in bytes.
const largestChunk = 128 << 10

// unknownSize is the assumed size of an object before it is read, in bytes.
const unknownSize = 600 << 20

// transferTime bounds the transfer of an object of size bytes, for a context without a
// deadline: a reader must not wait for ever for a chunk that is gone. (The client library's
// own timeout is 5 s, for any size.)
func transferTime(ctx context.Context, size uint64) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, 30*time.Second+time.Duration(size>>20)*time.Second)
}

// Put implements blob.Store.
func (b *Blobs) Put(ctx context.Context, data []byte) (job.Digest, error) {
	digest := blob.DigestOf(data)
	ctx, cancel := transferTime(ctx, uint64(len(data)))
	defer cancel()
	doing := "put blob " + string(digest)
	end, err := b.lock(ctx, digest)
	if err != nil {
		return "", wrap(doing, err)
	}
	defer end()
	store, err := b.bucket.get(ctx)
	if err != nil {
		return "", wrap(doing, err)
	}
	info, err := store.GetInfo(ctx, string(digest))
	switch {
	case err == nil && (info.Metadata[encodingKey] == s2Encoding || sameContent(info, digest)):
		return digest, nil
	case err != nil && !errors.Is(err, jetstream.ErrObjectNotFound):
		return "", wrap(doing, err)
	}
	meta := b.c.object(string(digest))
	stored, encoding := pack(data)
	if encoding != "" {
		meta.Metadata = map[string]string{encodingKey: encoding}
	}
	if _, err := store.Put(ctx, meta, bytes.NewReader(stored)); err != nil {
		return "", wrap(doing, err)
	}
	return digest, nil
}

// sameContent reports whether the stored object has the digest's content: the server keeps
// SHA-256=<base64> of the content.
func sameContent(info *jetstream.ObjectInfo, digest job.Digest) bool {
	raw, err := base64.URLEncoding.DecodeString(strings.TrimPrefix(info.Digest, "SHA-256="))
	return err == nil && hex.EncodeToString(raw) == string(digest)
}

// Get implements blob.Store.
func (b *Blobs) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	doing := fmt.Sprintf("get blob %.80s", string(digest))
	if err := ctx.Err(); err != nil {
		return nil, wrap(doing, err)
	}
	if !blob.IsDigest(digest) {
		return nil, fmt.Errorf("%s: this is not a digest: %w", doing, job.ErrNotFound)
	}
	store, err := b.bucket.get(ctx)
	if err != nil {
		return nil, wrap(doing, err)
	}
	var stored []byte
	var found *jetstream.ObjectInfo
	err = readObject(ctx, store, string(digest), blob.MaxBytes, func(r io.Reader, info *jetstream.ObjectInfo) error {
		if info.Metadata[encodingKey] == s2Encoding && info.Size > mostPacked {
			return fmt.Errorf("it has %d compressed bytes; at most %d are allowed: %w", info.Size, mostPacked, job.ErrCorrupt)
		}
		found = info
		stored, err = whole(r, info)
		return err
	})
	if err != nil {
		return nil, wrap(doing, err)
	}
	data, err := unpack(stored, found)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return data, blob.Verify(digest, data)
}

// Has implements blob.Store.
func (b *Blobs) Has(ctx context.Context, digest job.Digest) (bool, error) {
	doing := fmt.Sprintf("check for blob %.80s", string(digest))
	if err := ctx.Err(); err != nil {
		return false, wrap(doing, err)
	}
	if !blob.IsDigest(digest) {
		return false, nil
	}
	store, err := b.bucket.get(ctx)
	if err != nil {
		return false, wrap(doing, err)
	}
	_, err = store.GetInfo(ctx, string(digest))
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return false, nil
	}
	return err == nil, wrap(doing, err)
}

// Delete implements blob.Store.
func (b *Blobs) Delete(ctx context.Context, digest job.Digest) error {
	doing := fmt.Sprintf("delete blob %.80s", string(digest))
	if err := ctx.Err(); err != nil {
		return wrap(doing, err)
	}
	if !blob.IsDigest(digest) {
		return nil
	}
	store, err := b.bucket.get(ctx)
	if err == nil {
		err = erase(ctx, b.c.js, BlobBucket, store, string(digest))
	}
	return wrap(doing, err)
}

// OpenObject opens the object that path, "bucket/object", names; a spec's source
// nats:<bucket>/<object> has this form. The first slash separates the two. The object may
// be a link to another object, as the nats command creates it. OpenObject fails with
// job.ErrNotFound when the bucket or the object does not exist. At the end, Read fails with
// job.ErrCorrupt when the content differs from what was put.
func (c *Conn) OpenObject(ctx context.Context, path string) (io.ReadCloser, error) {
	doing := fmt.Sprintf("open nats:%.200s", path)
	bucket, object, ok := strings.Cut(path, "/")
	if !ok || bucket == "" || object == "" {
		return nil, fmt.Errorf("%s: want nats:<bucket>/<object>: %w", doing, job.ErrInvalid)
	}
	store, info, err := c.lookUp(ctx, bucket, object)
	if err == nil && linkOf(info) != nil {
		object = linkOf(info).Name
		store, info, err = c.lookUp(ctx, linkOf(info).Bucket, object)
		if err == nil && linkOf(info) != nil {
			err = fmt.Errorf("it is a link to a link; want an object: %w", job.ErrInvalid)
		}
	}
	if err != nil {
		return nil, wrap(doing, err)
	}
	ctx, cancel := transferTime(ctx, info.Size)
	r, err := store.Get(ctx, object)
	if err != nil {
		cancel()
		return nil, wrap(doing, err)
	}
	return objectReader{r, doing, cancel, info.Size}, nil
}

// lookUp returns the bucket and the description of an object.
func (c *Conn) lookUp(ctx context.Context, bucket, object string) (jetstream.ObjectStore, *jetstream.ObjectInfo, error) {
	store, err := c.js.ObjectStore(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		err = fmt.Errorf("there is no bucket of that name: %w", job.ErrNotFound) // the user chose this bucket
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := store.GetInfo(ctx, object)
	return store, info, err
}

// objectReader gives errors their class, and fails when the transfer time ends.
type objectReader struct {
	jetstream.ObjectResult
	doing  string
	cancel context.CancelFunc
	size   uint64
}

// Size returns the object's size in bytes.
func (o objectReader) Size() int64 { return int64(o.size) }

func (o objectReader) Close() error {
	defer o.cancel()
	return o.ObjectResult.Close()
}

func (o objectReader) Read(p []byte) (int, error) {
	n, err := o.ObjectResult.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = wrap(o.doing, err)
	}
	return n, err
}
