package broker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// erase deletes an object, if it is there, and the mark that the object store
// keeps of every object that was ever deleted: with one for each part of each
// checkpoint the bucket would grow without end. An object that is put under the
// same name meanwhile stays, for it comes after the mark.
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
		return nil // somebody else was faster
	}
	if err != nil {
		return err
	}
	var meta jetstream.ObjectInfo
	if err := json.Unmarshal(m.Data, &meta); err != nil || !meta.Deleted {
		return nil //nolint:nilerr // what cannot be read is no mark to be cleared away
	}
	return stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(m.Sequence+1))
}
