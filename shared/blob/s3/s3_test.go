package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/blob/s3"
	"tributary/shared/job"
)

const bucket = "models"

// server is an S3 server in the test's process.
type server struct {
	*httptest.Server
	backend gofakes3.Backend
	// meddle, when set, answers a request in place of the server and returns true; false
	// passes it on.
	meddle atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	puts   atomic.Int64
}

func start(t *testing.T) *server {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	s := &server{backend: s3mem.New()}
	require.NoError(t, s.backend.CreateBucket(bucket))
	handler := gofakes3.New(s.backend).Server()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if meddle := s.meddle.Load(); meddle != nil && (*meddle)(w, r) {
			return
		}
		if r.Method == http.MethodPut {
			s.puts.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// refuse makes the server answer the next requests of a method with an error.
func (s *server) refuse(method string, status int, code string, times int64) {
	var n atomic.Int64
	meddle := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || n.Add(1) > times {
			return false
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>for once</Message></Error>", code)
		return true
	}
	s.meddle.Store(&meddle)
}

func (s *server) open(t *testing.T, path string) *s3.Store {
	t.Helper()
	store, err := s3.Open("s3://" + path + "?region=us-east-1&endpoint=" + s.URL)
	require.NoError(t, err)
	return store
}

// put replaces an object without the store's methods.
func (s *server) put(t *testing.T, name string, data []byte) {
	t.Helper()
	_, err := s.backend.PutObject(bucket, name, map[string]string{}, bytes.NewReader(data), int64(len(data)), nil)
	require.NoError(t, err)
}

func TestConformance(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Fixture {
		s := start(t)
		return blobtest.Fixture{
			Store: s.open(t, bucket),
			Corrupt: func(t *testing.T, digest job.Digest, data []byte) {
				t.Helper()
				s.put(t, string(digest), data)
			},
		}
	})
}

func TestPrefixesAreApart(t *testing.T) {
	s := start(t)
	one, other := s.open(t, bucket+"/team/one/"), s.open(t, bucket+"/team/two")
	digest, err := one.Put(t.Context(), []byte("x"))
	require.NoError(t, err)
	has, err := other.Has(t.Context(), digest)
	require.NoError(t, err)
	require.False(t, has)
	require.NoError(t, other.Delete(t.Context(), digest))
	_, err = one.Get(t.Context(), digest)
	require.NoError(t, err)
	object, err := s.backend.GetObject(bucket, "team/one/"+string(digest), nil)
	require.NoError(t, err)
	require.NoError(t, object.Contents.Close())
}

func TestWhatIsThereIsNotSentAgain(t *testing.T) {
	s := start(t)
	store := s.open(t, bucket)
	for range 3 {
		_, err := store.Put(t.Context(), []byte("x"))
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, s.puts.Load())
}

func TestAServerWithoutRoom(t *testing.T) {
	s := start(t)
	store := s.open(t, bucket)
	for _, c := range []struct {
		status int
		code   string
	}{{http.StatusInsufficientStorage, "XMinioStorageFull"}, {http.StatusForbidden, "QuotaExceeded"}} {
		s.refuse(http.MethodPut, c.status, c.code, 1000)
		_, err := store.Put(t.Context(), []byte(c.code))
		require.ErrorIs(t, err, job.ErrFull, c.code)
		require.ErrorContains(t, err, "put blob "+string(blob.DigestOf([]byte(c.code))))
		has, err := store.Has(t.Context(), blob.DigestOf([]byte(c.code)))
		require.NoError(t, err)
		require.False(t, has)
	}
}

func TestPassingFailuresAreTriedAgain(t *testing.T) {
	s := start(t)
	store := s.open(t, bucket)
	s.refuse(http.MethodPut, http.StatusServiceUnavailable, "SlowDown", 1)
	digest, err := store.Put(t.Context(), []byte("x"))
	require.NoError(t, err)
	s.refuse(http.MethodGet, http.StatusInternalServerError, "InternalError", 1)
	_, err = store.Get(t.Context(), digest)
	require.NoError(t, err)
}

// A truncated body must not pass for a blob.
func TestACutBodyIsNoBlob(t *testing.T) {
	s := start(t)
	store := s.open(t, bucket)
	digest, err := store.Put(t.Context(), []byte("a blob"))
	require.NoError(t, err)
	cut := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Length", "6")
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = io.WriteString(w, "a b")
		return true
	}
	s.meddle.Store(&cut)
	_, err = store.Get(t.Context(), digest)
	require.Error(t, err)
}

func TestAServerThatDoesNotAnswer(t *testing.T) {
	s := start(t)
	store := s.open(t, bucket)
	ctx, cancel := context.WithCancel(t.Context())
	hang := func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return true
	}
	s.meddle.Store(&hang)
	_, err := store.Put(ctx, []byte("x"))
	require.ErrorIs(t, err, context.Canceled)
}

func TestABucketThatIsNotThere(t *testing.T) {
	s := start(t)
	require.NoError(t, s.open(t, bucket).Check(t.Context()))
	store := s.open(t, "elsewhere")
	require.ErrorIs(t, store.Check(t.Context()), job.ErrNotFound)
	_, err := store.Put(t.Context(), []byte("x"))
	require.ErrorContains(t, err, "there is no bucket elsewhere")
	_, err = store.Get(t.Context(), blob.DigestOf([]byte("x")))
	require.ErrorContains(t, err, "there is no bucket elsewhere")
	require.NotErrorIs(t, err, job.ErrNotFound, "it is the settings that are wrong, not the blob that is missing")
}

func TestAddresses(t *testing.T) {
	for _, good := range []string{
		"s3://bucket", "s3://bucket/", "s3://bucket/a/b", "s3://bucket?region=eu-central-1",
		"s3://bucket/a?endpoint=http://127.0.0.1:9000&region=x", "s3://bucket?endpoint=minio.example:9000",
	} {
		_, err := s3.Open(good)
		require.NoError(t, err, good)
	}
	for bad, want := range map[string]string{
		"s3://":                         "no bucket",
		"s3:///a":                       "no bucket",
		"http://bucket":                 "no bucket",
		"s3://key:secret@bucket":        "it has credentials: set AWS_ACCESS_KEY_ID",
		"s3://bucket?regoin=x":          `parameter "regoin" is unknown`,
		"s3://bucket?endpoint=ftp://x":  `scheme "ftp" is not supported`,
		"s3://bucket?endpoint=http://":  "is not the address of a server",
		"s3://bucket?endpoint=x/a":      "is not the address of a server",
		"s3://bucket?endpoint=http://%": "want s3://",
		"s3://%":                        "want s3://",
	} {
		_, err := s3.Open(bad)
		require.ErrorIs(t, err, job.ErrInvalid, bad)
		require.ErrorContains(t, err, want, bad)
		require.True(t, strings.Contains(err.Error(), s3.Form), bad)
	}
}

func TestTheFirstOriginHasAPrefix(t *testing.T) {
	s := start(t)
	for _, origin := range []string{"first", "second"} {
		noted, err := s.open(t, bucket+"/a").Claim(t.Context(), origin)
		require.NoError(t, err)
		require.Equal(t, "first", noted)
	}
	noted, err := s.open(t, bucket+"/b").Claim(t.Context(), "second")
	require.NoError(t, err)
	require.Equal(t, "second", noted, "another prefix is another store")
	for range s.open(t, bucket+"/a").List(t.Context()) {
		require.Fail(t, "a claim is no blob")
	}
}
