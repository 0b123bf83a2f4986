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

// Blobs implements blob.Store on the object bucket for blobs.
//
// Writing an object again removes the chunks of its former self, from under
// whoever reads them. So blobs of one digest are put one after the other, the
// later ones finding it there; between processes readers have to try again.
type Blobs struct {
	c      *Conn
	bucket lazy[jetstream.ObjectStore]
	turns  [64]chan struct{} // each of capacity 1, by digest: held by who puts
}

// Blobs returns the blob store. Share it: two stores do not know of each
// other's puts.
func (c *Conn) Blobs() *Blobs {
	b := &Blobs{c: c, bucket: c.objects(BlobBucket)}
	for i := range b.turns {
		b.turns[i] = make(chan struct{}, 1)
	}
	return b
}

// turn waits until nobody here puts the digest, and returns what ends it.
func (b *Blobs) turn(ctx context.Context, digest job.Digest) (end func(), err error) {
	t := b.turns[xxhash.Sum64String(string(digest))%uint64(len(b.turns))]
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

// chunkRoom is what a message takes beside the part of an object that it carries: its
// subject and headers.
const chunkRoom = 4 << 10

// object describes an object that is about to be put. Its parts fit into the messages
// that the server takes.
func (c *Conn) object(name string) jetstream.ObjectMeta {
	size := int64(largestChunk)
	if most := c.nc.MaxPayload(); most > 0 {
		size = min(size, max(most-chunkRoom, most/2, 1))
	}
	return jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: uint32(size)}}
}

// largestChunk is the client library's own choice.
const largestChunk = 128 << 10

// unknownSize stands for the size of what has still to be read.
const unknownSize = 600 << 20

// transferTime bounds the transfer of an object of size bytes, for a context
// without a deadline: a reader must not wait for ever for a chunk that is gone.
// (The client library's own limit is 5 s, whatever the size.)
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
	end, err := b.turn(ctx, digest)
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

// sameContent reports whether an object was stored with the digest's content:
// the server keeps SHA-256=<base64> of what was put.
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
		return nil, fmt.Errorf("%s: that is no digest: %w", doing, job.ErrNotFound)
	}
	store, err := b.bucket.get(ctx)
	if err != nil {
		return nil, wrap(doing, err)
	}
	var stored []byte
	var found *jetstream.ObjectInfo
	err = readObject(ctx, store, string(digest), blob.MaxBytes, func(r io.Reader, info *jetstream.ObjectInfo) error {
		if info.Metadata[encodingKey] == s2Encoding && info.Size > mostPacked {
			return fmt.Errorf("it has %d bytes packed; at most %d are allowed: %w", info.Size, mostPacked, job.ErrCorrupt)
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
	doing := fmt.Sprintf("look for blob %.80s", string(digest))
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

// OpenObject opens the object that "bucket/object" names, as a spec's source
// nats:<bucket>/<object> does. Only the first slash parts the two. The
// object may be a link to another, as the nats command makes. It fails
// with job.ErrNotFound when there is no such bucket or object. Reading fails
// with job.ErrCorrupt at the end when the content is not what was put.
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

// lookUp looks an object up.
func (c *Conn) lookUp(ctx context.Context, bucket, object string) (jetstream.ObjectStore, *jetstream.ObjectInfo, error) {
	store, err := c.js.ObjectStore(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		err = fmt.Errorf("there is no bucket of that name: %w", job.ErrNotFound) // this one is the user's
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := store.GetInfo(ctx, object)
	return store, info, err
}

// objectReader gives errors their class, and ends with its transfer time.
type objectReader struct {
	jetstream.ObjectResult
	doing  string
	cancel context.CancelFunc
	size   uint64
}

// Size is the bytes that the object has.
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
