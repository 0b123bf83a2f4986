package broker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/blob"
	"tributary/shared/job"
)

var _ blob.Lister = (*Blobs)(nil)

// List implements blob.Lister.
func (b *Blobs) List(ctx context.Context) iter.Seq2[blob.Stored, error] {
	return func(yield func(blob.Stored, error) bool) {
		for info, err := range b.c.allObjects(ctx, &b.bucket) {
			if err != nil {
				yield(blob.Stored{}, wrap("list blobs", err))
				return
			}
			digest := job.Digest(info.Name)
			if blob.IsDigest(digest) && !yield(blob.Stored{Digest: digest, Time: info.ModTime}, nil) {
				return
			}
		}
	}
}

// Tidy implements blob.Lister.
func (b *Blobs) Tidy(ctx context.Context, before time.Time) error {
	return wrap("tidy blobs", b.c.tidy(ctx, BlobBucket, &b.bucket, before))
}

// Tidy removes what interrupted puts of model files have left, if it is older than before.
func (m *Models) Tidy(ctx context.Context, before time.Time) error {
	return wrap("tidy models", m.c.tidy(ctx, ModelBucket, &m.bucket, before))
}

// allObjects yields the description of every object of a bucket, one at a time.
func (c *Conn) allObjects(ctx context.Context, bucket *lazy[jetstream.ObjectStore]) iter.Seq2[*jetstream.ObjectInfo, error] {
	return func(yield func(*jetstream.ObjectInfo, error) bool) {
		store, err := bucket.get(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx) // the client library waits until this context ends
		defer cancel()
		w, err := store.Watch(ctx, jetstream.IgnoreDeletes())
		if err != nil {
			yield(nil, err)
			return
		}
		defer abandon(c, w)
		for info, err := range initial(ctx, w.Updates(), func(i *jetstream.ObjectInfo) bool { return i == nil }) {
			if !yield(info, err) {
				return
			}
		}
	}
}

// tidy removes chunks that belong to no object of the bucket and are older than before. A
// process that dies while it puts an object leaves them, and the object store never removes
// them.
func (c *Conn) tidy(ctx context.Context, name string, bucket *lazy[jetstream.ObjectStore], before time.Time) error {
	prefix := "$O." + name + ".C."
	stream, err := c.js.Stream(ctx, "OBJ_"+name)
	if err != nil {
		return err
	}
	// List the chunks before the objects. Then the chunks of an object that is put in
	// between belong to a listed object, or are younger than before.
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(prefix+">"))
	if err != nil {
		return err
	}
	orphans := info.State.Subjects
	for object, err := range c.allObjects(ctx, bucket) {
		if err != nil {
			return err
		}
		delete(orphans, prefix+object.NUID)
	}
	for subject := range orphans {
		last, err := stream.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && !last.Time.Before(before) {
			continue
		}
		if err != nil {
			return err
		}
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return err
		}
		c.log.Info().Str("chunks", subject).Msg("removed the chunks of an interrupted put")
	}
	return nil
}

// Claim implements blob.Lister. It always accepts the origin: blobs and records are on the
// same server.
func (b *Blobs) Claim(ctx context.Context, origin string) (string, error) { return origin, ctx.Err() }

// Origin returns a name for the jobs bucket. A bucket that was created again after a loss
// has another name.
func (r *Records) Origin(ctx context.Context) (string, error) {
	kv, err := r.bucket.get(ctx)
	if err != nil {
		return "", wrap("name the jobs bucket", err)
	}
	info, err := bucketInfo(ctx, kv)
	if err != nil {
		return "", wrap("name the jobs bucket", err)
	}
	return fmt.Sprintf("%s of %s", JobBucket, info.Created.UTC().Format(time.RFC3339Nano)), nil
}
