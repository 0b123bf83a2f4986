package broker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// erase deletes an object, if it exists, and also the deletion marker that the object store
// keeps for it. Otherwise the bucket would grow for ever, by one marker for each part of
// each checkpoint. An object that is put under the same name meanwhile stays, because it
// comes after the marker.
func erase(ctx context.Context, js jetstream.JetStream, bucket string, store jetstream.ObjectStore, name string) error {
	err := store.Delete(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	stream, err := js.Stream(ctx, objectStream+bucket)
	if err != nil {
		return err
	}
	subject := "$O." + bucket + ".M." + base64.URLEncoding.EncodeToString([]byte(name))
	m, err := stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // another process was faster
	}
	if err != nil {
		return err
	}
	var meta jetstream.ObjectInfo
	if err := json.Unmarshal(m.Data, &meta); err != nil || !meta.Deleted {
		return nil //nolint:nilerr // an object that cannot be read is not a marker to remove
	}
	return stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(m.Sequence+1))
}
