package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/broker/embedded"
	"tributary/shared/job"
)

func TestBlobConformance(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Fixture {
		_, c := open(t, SetupConfig{})
		b := c.Blobs()
		return blobtest.Fixture{Store: b, Corrupt: func(t *testing.T, digest job.Digest, data []byte) {
			store, err := b.bucket.get(t.Context())
			require.NoError(t, err)
			_, err = store.PutBytes(t.Context(), string(digest), data)
			require.NoError(t, err)
		}}
	})
}

func TestBlobsAreFull(t *testing.T) {
	_, c := open(t, SetupConfig{BlobBytes: 1 << 20})
	_, err := c.Blobs().Put(t.Context(), noise(2<<20))
	require.ErrorIs(t, err, job.ErrFull)
}

// noise returns bytes that no encoding makes shorter.
func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	return data
}

// Blobs are stored in S2 encoding where that is much shorter, and Get returns the original
// bytes.
func TestBlobsAreStoredShort(t *testing.T) {
	_, c := open(t, SetupConfig{})
	b := c.Blobs()
	store, err := b.bucket.get(t.Context())
	require.NoError(t, err)
	stored := func(data []byte) *jetstream.ObjectInfo {
		for range 2 {
			digest, err := b.Put(t.Context(), data)
			require.NoError(t, err)
			require.Equal(t, blob.DigestOf(data), digest)
			got, err := b.Get(t.Context(), digest)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
		}
		info, err := store.GetInfo(t.Context(), string(blob.DigestOf(data)))
		require.NoError(t, err)
		return info
	}
	rows := bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 128, 63}, 1<<17)
	require.Less(t, stored(rows).Size, uint64(len(rows)/10))
	require.EqualValues(t, 1<<20, stored(noise(1<<20)).Size)
	require.EqualValues(t, leastPacked-1, stored(rows[:leastPacked-1]).Size)
	require.Zero(t, stored(nil).Size)
}

// The stored bytes are untrusted: unpack refuses them before it allocates memory.
func TestPackedBlobsThatAreNone(t *testing.T) {
	_, c := open(t, SetupConfig{})
	b := c.Blobs()
	store, err := b.bucket.get(t.Context())
	require.NoError(t, err)
	digest := blob.DigestOf([]byte("x"))
	for name, test := range map[string]struct {
		encoding string
		stored   []byte
	}{
		"no S2":               {"s2", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		"empty":               {"s2", nil},
		"cut off":             {"s2", s2.Encode(nil, make([]byte, 9000))[:20]},
		"of another blob":     {"s2", s2.Encode(nil, []byte("y"))},
		"too long":            {"s2", binary.AppendUvarint(nil, mostPacked+1)},
		"an encoding to come": {"zstd", []byte("x")},
	} {
		meta := jetstream.ObjectMeta{Name: string(digest), Metadata: map[string]string{encodingKey: test.encoding}}
		_, err := store.Put(t.Context(), meta, bytes.NewReader(test.stored))
		require.NoError(t, err, name)
		_, err = b.Get(t.Context(), digest)
		require.ErrorIs(t, err, job.ErrCorrupt, name)
	}
}

func TestBlobWhoseChunksAreGone(t *testing.T) {
	_, c := open(t, SetupConfig{})
	b := c.Blobs()
	digest, err := b.Put(t.Context(), noise(1<<20))
	require.NoError(t, err)
	stream, err := c.js.Stream(t.Context(), "OBJ_"+BlobBucket)
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSubject("$O."+BlobBucket+".C.>")))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = b.Get(ctx, digest)
	require.Error(t, err, "it ends with its context")
}

func TestBlobsOfOtherProcesses(t *testing.T) {
	s, c := open(t, SetupConfig{})
	digest, err := c.Blobs().Put(t.Context(), []byte("shared"))
	require.NoError(t, err)
	got, err := s.connect(t).Blobs().Get(t.Context(), digest)
	require.NoError(t, err)
	require.Equal(t, "shared", string(got))
	_, err = startServer(t, embeddedDefault).connect(t).Blobs().Get(t.Context(), blob.DigestOf(nil))
	require.ErrorIs(t, err, errMissing)
	require.NotErrorIs(t, err, job.ErrNotFound, "without a bucket nobody knows whether there is such a blob")
}

// Two processes that put the same blob at the same time remove each other's chunks. Readers
// notice it in about a second, not only after the last timeout.
func TestBlobsPutByTwoProcessesAtOnce(t *testing.T) {
	s, a := open(t, SetupConfig{})
	stores := []*Blobs{a.Blobs(), s.connect(t).Blobs()}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	for round := range 5 {
		data := bytes.Repeat([]byte{byte(round)}, 400_000)
		errs := make(chan error, 8)
		for i := range cap(errs) {
			go func() {
				b := stores[i%len(stores)]
				digest, err := b.Put(ctx, data)
				if err == nil {
					_, err = b.Get(ctx, digest)
				}
				errs <- err
			}()
		}
		for range cap(errs) {
			require.NoError(t, receive(t, errs))
		}
	}
}

func TestOpenObject(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx := t.Context()
	store, err := c.js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: "datasets"})
	require.NoError(t, err)
	want := strings.Repeat("a,b\n1,2\n", 100_000)
	_, err = store.PutString(ctx, "2024/rows.csv", want)
	require.NoError(t, err)

	r, err := c.OpenObject(ctx, "datasets/2024/rows.csv")
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, want, string(got))

	r, err = c.OpenObject(ctx, "datasets/2024/rows.csv")
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 10))
	require.NoError(t, err)
	require.NoError(t, r.Close(), "a reader may stop early")

	for path, class := range map[string]error{
		"": job.ErrInvalid, "datasets": job.ErrInvalid, "datasets/": job.ErrInvalid, "/x": job.ErrInvalid,
		"data sets/x": job.ErrInvalid, "*/x": job.ErrInvalid, "nowhere/x": job.ErrNotFound, "datasets/x": job.ErrNotFound,
	} {
		_, err := c.OpenObject(ctx, path)
		require.ErrorIs(t, err, class, "%q", path)
	}
}

func TestModels(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, m := t.Context(), c.Models()
	files, err := m.List(ctx, "")
	require.NoError(t, err)
	require.Empty(t, files)

	require.NoError(t, m.PutFile(ctx, "digits-1", "model.json", strings.NewReader("{}")))
	require.NoError(t, m.PutFile(ctx, "digits-1", "model.safetensors", bytes.NewReader(make([]byte, 300_000))))
	require.NoError(t, m.PutFile(ctx, "digits-1", "model.json", strings.NewReader(`{"v":2}`)))
	require.NoError(t, m.PutFile(ctx, "digits", "plots/loss.svg", strings.NewReader("<svg/>")))
	got, err := m.GetFile(ctx, "digits-1", "model.json")
	require.NoError(t, err)
	require.Equal(t, `{"v":2}`, string(got))
	got, err = m.GetFile(ctx, "digits-1", "model.safetensors")
	require.NoError(t, err)
	require.Len(t, got, 300_000)
	_, err = m.GetFile(ctx, "digits-1", "none")
	require.ErrorIs(t, err, job.ErrNotFound)

	require.NoError(t, m.SetAlias(ctx, "digits", "digits-1"))
	require.NoError(t, m.SetAlias(ctx, "digits", "digits-2"))
	model, err := m.Resolve(ctx, "digits")
	require.NoError(t, err)
	require.Equal(t, "digits-2", model)
	for _, alias := range []string{"none", "", "../x", "@alias/digits", "*"} {
		_, err = m.Resolve(ctx, alias)
		require.ErrorIs(t, err, job.ErrNotFound, "%q", alias)
	}

	files, err = m.List(ctx, "")
	require.NoError(t, err)
	require.Len(t, files, 3, "an alias is no file")
	files, err = m.List(ctx, "digits-1")
	require.NoError(t, err)
	require.Len(t, files, 2, "nor is a model whose name begins alike")
	require.Equal(t, "model.json", files[0].Name)
	require.EqualValues(t, 300_000, files[1].Size)

	require.NoError(t, m.Delete(ctx, "digits-1"))
	require.NoError(t, m.Delete(ctx, "digits-1"))
	files, err = m.List(ctx, "")
	require.NoError(t, err)
	require.Len(t, files, 1)
	_, err = m.Resolve(ctx, "digits")
	require.NoError(t, err, "it stands for another model")

	require.NoError(t, m.SetAlias(ctx, "sevens", "digits"))
	require.NoError(t, m.Delete(ctx, "digits"))
	_, err = m.Resolve(ctx, "sevens")
	require.ErrorIs(t, err, job.ErrNotFound)
	require.NoError(t, m.SetAlias(ctx, "digits", "digits-3"))
	require.NoError(t, m.Delete(ctx, "digits-3"))
	require.NoError(t, m.Delete(ctx, "digits-2"), "it never was there, but has the name")
	stream, err := c.js.Stream(ctx, "OBJ_"+ModelBucket)
	require.NoError(t, err)
	require.Zero(t, stream.CachedInfo().State.Msgs, "nothing is left behind, no marks either")
}

// A name passes to the newest remaining model. An id always means its own model, whatever
// other model has it as a name.
func TestNamesOfModelsThatAreRemoved(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, m := t.Context(), c.Models()
	for _, id := range []string{"m1", "m2", "m3"} {
		require.NoError(t, m.PutFile(ctx, id, "model.json", strings.NewReader(id)))
		require.NoError(t, m.SetAlias(ctx, "mod", id))
	}
	require.NoError(t, m.SetAlias(ctx, "mod", "never-there"))
	require.NoError(t, m.SetAlias(ctx, "mod", "m3"))
	found := func(name string) string {
		t.Helper()
		f, err := m.Find(ctx, name)
		if errors.Is(err, job.ErrNotFound) {
			return ""
		}
		require.NoError(t, err)
		require.NotEmpty(t, f.Version)
		return f.ID
	}
	require.Equal(t, "m3", found("mod"))
	require.NoError(t, m.Delete(ctx, "m1"))
	require.Equal(t, "m3", found("mod"), "another than the newest was removed")
	require.NoError(t, m.Delete(ctx, "m3"))
	require.Equal(t, "m2", found("mod"))
	require.NoError(t, m.PutFile(ctx, "mod", "model.json", strings.NewReader("whose id that is")))
	require.Equal(t, "mod", found("mod"))
	before, err := m.Find(ctx, "mod")
	require.NoError(t, err)
	require.NoError(t, m.Delete(ctx, "mod"))
	require.Equal(t, "m2", found("mod"))
	require.NoError(t, m.PutFile(ctx, "mod", "model.json", strings.NewReader("whose id that is")))
	after, err := m.Find(ctx, "mod")
	require.NoError(t, err)
	require.NotEqual(t, before.Version, after.Version)
	require.NoError(t, m.Delete(ctx, "mod"))
	require.NoError(t, m.Delete(ctx, "m2"))
	require.Empty(t, found("mod"))
	require.NoError(t, m.Delete(ctx, "never-there"))
	stream, err := c.js.Stream(ctx, "OBJ_"+ModelBucket)
	require.NoError(t, err)
	require.Zero(t, stream.CachedInfo().State.Msgs, "nothing is left behind")
}

// An object that is put while a deletion runs stays.
func TestAnObjectThatIsPutAfterADeletionStays(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, b := t.Context(), c.Blobs()
	for range 3 {
		digest, err := b.Put(ctx, []byte("a block"))
		require.NoError(t, err)
		require.NoError(t, b.Delete(ctx, digest))
		require.NoError(t, b.Delete(ctx, digest))
		has, err := b.Has(ctx, digest)
		require.NoError(t, err)
		require.False(t, has)
	}
	digest, err := b.Put(ctx, []byte("a block"))
	require.NoError(t, err)
	data, err := b.Get(ctx, digest)
	require.NoError(t, err)
	require.Equal(t, "a block", string(data))
}

func TestModelNames(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, m := t.Context(), c.Models()
	for _, name := range []string{"", ".", "..", "a/b", "@alias", "a b", "é", strings.Repeat("x", 200)} {
		require.ErrorIs(t, m.PutFile(ctx, name, "model.json", strings.NewReader("")), job.ErrInvalid, "%q", name)
		require.ErrorIs(t, m.SetAlias(ctx, "ok", name), job.ErrInvalid, "%q", name)
		require.ErrorIs(t, m.SetAlias(ctx, name, "ok"), job.ErrInvalid, "%q", name)
		require.ErrorIs(t, m.Delete(ctx, name), job.ErrInvalid, "%q", name)
	}
	for _, file := range []string{"", "/", "../x", "a//b", "a/../b", "/etc/passwd", "a b"} {
		require.ErrorIs(t, m.PutFile(ctx, "ok", file, strings.NewReader("")), job.ErrInvalid, "%q", file)
		_, err := m.GetFile(ctx, "ok", file)
		require.ErrorIs(t, err, job.ErrInvalid, "%q", file)
	}
}

func TestWhatAnInterruptedPutLeavesIsRemoved(t *testing.T) {
	_, c := open(t, SetupConfig{})
	b, ctx := c.Blobs(), t.Context()
	whole, err := b.Put(ctx, noise(300<<10))
	require.NoError(t, err)
	orphan := "$O." + BlobBucket + ".C.orphan"
	for range 3 { // like a process that dies before it puts the description
		_, err := c.js.Publish(ctx, orphan, noise(1<<10))
		require.NoError(t, err)
	}
	left := func() int {
		stream, err := c.js.Stream(ctx, "OBJ_"+BlobBucket)
		require.NoError(t, err)
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(orphan))
		require.NoError(t, err)
		return int(info.State.Subjects[orphan])
	}
	require.NoError(t, b.Tidy(ctx, time.Now().Add(-time.Hour)))
	require.Equal(t, 3, left(), "the put may be under way")
	require.NoError(t, b.Tidy(ctx, time.Now().Add(time.Hour)))
	require.Zero(t, left())
	_, err = b.Get(ctx, whole)
	require.NoError(t, err)
}

func TestOriginIsThatOfTheBucket(t *testing.T) {
	_, c := open(t, SetupConfig{})
	first, err := c.Records().Origin(t.Context())
	require.NoError(t, err)
	again, err := c.Records().Origin(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.NoError(t, c.js.DeleteKeyValue(t.Context(), JobBucket))
	require.NoError(t, c.Setup(t.Context(), SetupConfig{}))
	other, err := c.Records().Origin(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, first, other, "no record of the lost bucket names its blobs any more")
}

// A file larger than the largest message of the server is put in chunks that the server
// accepts.
func TestObjectsLargerThanAMessage(t *testing.T) {
	for _, most := range []int32{6 << 10, 64 << 10} {
		s := startServer(t, embedded.Config{MaxPayload: most})
		c := s.connect(t)
		require.NoError(t, c.Setup(t.Context(), SetupConfig{}))
		content := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
		require.NoError(t, c.Models().PutFile(t.Context(), "m", "model.json", bytes.NewReader(content)))
		got, err := c.Models().GetFile(t.Context(), "m", "model.json")
		require.NoError(t, err)
		require.Equal(t, content, got)
		random := make([]byte, 300_000)
		_, _ = rand.NewChaCha8([32]byte{}).Read(random)
		digest, err := c.Blobs().Put(t.Context(), random)
		require.NoError(t, err)
		got, err = c.Blobs().Get(t.Context(), digest)
		require.NoError(t, err)
		require.Equal(t, random, got)
	}
}

// A probe of the models leaves one chunk, which belongs to no model. Tidy removes it.
func TestAProbeOfTheModels(t *testing.T) {
	_, c := open(t, SetupConfig{})
	ctx, m := t.Context(), c.Models()
	require.NoError(t, m.Probe(ctx))
	require.NoError(t, m.Probe(ctx))
	stream, err := c.js.Stream(ctx, "OBJ_"+ModelBucket)
	require.NoError(t, err)
	require.EqualValues(t, 1, stream.CachedInfo().State.Msgs)
	files, err := m.List(ctx, "")
	require.NoError(t, err)
	require.Empty(t, files)
	require.NoError(t, m.Tidy(ctx, time.Now().Add(time.Hour)))
	info, err := stream.Info(ctx)
	require.NoError(t, err)
	require.Zero(t, info.State.Msgs)
	require.NoError(t, c.js.DeleteStream(ctx, "OBJ_"+ModelBucket))
	require.Error(t, m.Probe(ctx))
}
