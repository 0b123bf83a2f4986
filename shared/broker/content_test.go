package broker

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/job"
)

func TestReadFileReturnsTheSizeBeforeItReads(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, m := t.Context(), c.Models()
	content := strings.Repeat("0123456789", 50_000)
	require.NoError(t, m.PutFile(ctx, "a", "x", strings.NewReader(content)))

	calls := 0
	require.NoError(t, m.ReadFile(ctx, "a", "x", func(r io.Reader, size int64) error {
		calls++
		require.EqualValues(t, len(content), size)
		_, err := io.ReadFull(r, make([]byte, 10))
		return err
	}), "a reader may stop early")
	refused := errors.New("too large for me")
	err := m.ReadFile(ctx, "a", "x", func(io.Reader, int64) error { calls++; return refused })
	require.ErrorIs(t, err, refused)
	require.Equal(t, 2, calls, "what read says is final")
}

func TestAnObjectOverTheLimitIsNotRead(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx := t.Context()
	store, err := c.js.ObjectStore(ctx, ModelBucket)
	require.NoError(t, err)
	_, err = store.PutString(ctx, "x", "0123456789")
	require.NoError(t, err)
	read := func(io.Reader, *jetstream.ObjectInfo) error { t.Error("it is read"); return nil }
	require.ErrorIs(t, readObject(ctx, store, "x", 9, read), job.ErrInvalid)
}

// forge stores a description of an object that does not match the stored content.
func forge(t *testing.T, c *Conn, bucket string, info *jetstream.ObjectInfo) {
	t.Helper()
	data, err := json.Marshal(info)
	require.NoError(t, err)
	_, err = c.js.Publish(t.Context(), "$O."+bucket+".M."+base64.URLEncoding.EncodeToString([]byte(info.Name)), data)
	require.NoError(t, err)
}

func TestAModelsFileThatIsTooLarge(t *testing.T) {
	_, c := open(t, SetupConfig{})
	store, err := c.js.ObjectStore(t.Context(), ModelBucket)
	require.NoError(t, err)
	info, err := store.PutString(t.Context(), "a/x", "0123456789")
	require.NoError(t, err)
	info.Size = MaxModelFile + 1
	forge(t, c, ModelBucket, info)
	err = c.Models().ReadFile(t.Context(), "a", "x", func(io.Reader, int64) error { t.Error("it is read"); return nil })
	require.ErrorIs(t, err, job.ErrCorrupt)
	require.ErrorContains(t, err, "a file of a model has at most")
}

// The description of an object is untrusted, just as its content.
func TestAnObjectThatHasMoreThanItSays(t *testing.T) {
	r := &counted{r: strings.NewReader("0123456789"), left: 4}
	data, err := io.ReadAll(r)
	require.ErrorIs(t, err, job.ErrCorrupt)
	require.Equal(t, "0123", string(data))
	require.ErrorIs(t, r.err, job.ErrCorrupt)
}

// The client library follows links until its stack is full.
func TestLinksInACircle(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx := t.Context()
	blobs, err := c.js.ObjectStore(ctx, BlobBucket)
	require.NoError(t, err)
	digest := blob.DigestOf([]byte("a block"))
	info, err := blobs.PutString(ctx, "target", "a block")
	require.NoError(t, err)
	_, err = blobs.AddLink(ctx, string(digest), info)
	require.NoError(t, err)
	r, err := c.OpenObject(ctx, BlobBucket+"/"+string(digest))
	require.NoError(t, err, "one link of a source is followed")
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, "a block", string(data))

	info.Opts = &jetstream.ObjectMetaOptions{Link: &jetstream.ObjectLink{Bucket: BlobBucket, Name: "target"}}
	forge(t, c, BlobBucket, info)
	_, err = c.Blobs().Get(ctx, digest)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "is a link to another")
	_, err = c.OpenObject(ctx, BlobBucket+"/target")
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "link to a link")
}
