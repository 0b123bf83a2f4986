package place_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/place"
	"tributary/shared/job"
)

// bucket starts an S3 server with objects in the bucket "data". meddle may answer in its
// place.
func bucket(t *testing.T, objects map[string]string, meddle func(w http.ResponseWriter, r *http.Request) bool) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "Mark3dSecret")
	backend := s3mem.New()
	require.NoError(t, backend.CreateBucket("data"))
	for name, content := range objects {
		_, err := backend.PutObject("data", name, map[string]string{"Last-Modified": "Mon, 02 Jan 2006 15:04:05 GMT"}, bytes.NewReader([]byte(content)), int64(len(content)), &gofakes3.PutConditions{})
		require.NoError(t, err)
	}
	handler := gofakes3.New(backend).Server()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if meddle == nil || !meddle(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	t.Setenv("AWS_ENDPOINT_URL", s.URL)
}

func TestS3(t *testing.T) {
	var cuts atomic.Int32
	bucket(t, map[string]string{"a/1.csv": content, "a/2.csv": "x", "a/.hidden": "x", "a/deep/3.csv": "y", "a/b 4%.txt": "z", "ab": "w"},
		func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/1.csv") || cuts.Add(1) != 1 {
				return false
			}
			cut(t, w, "200 OK\r\nETag: \"x\"\r\nLast-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 320000", content[:1000])
			return true
		})
	get := func(source string) (string, error) {
		f, err := place.S3(t.Context(), source)
		if err != nil {
			return "", err
		}
		defer f.Close()
		data, err := io.ReadAll(f)
		return string(data), err
	}
	_, err := get("s3://data/a/1.csv")
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "changed while it was being read", "the first part had another tag")
	got, err := get("s3://data/a/1.csv")
	require.NoError(t, err)
	require.Equal(t, content, got)
	got, err = get("s3://data/a/b 4%.txt")
	require.NoError(t, err)
	require.Equal(t, "z", got)
	for source, want := range map[string]string{
		"s3://data/none": "there is no such object", "s3://nobucket/a": "there is no bucket", "s3://data": "want s3://BUCKET/KEY", "s3://data/a": "there is no such object",
	} {
		_, err := get(source)
		require.ErrorIs(t, err, job.ErrInvalid, source)
		require.ErrorContains(t, err, want, source)
	}
	for source, want := range map[string][]string{
		"s3://data/a":         {"s3://data/a/1.csv", "s3://data/a/2.csv", "s3://data/a/b 4%.txt"},
		"s3://data/a/":        {"s3://data/a/1.csv", "s3://data/a/2.csv", "s3://data/a/b 4%.txt"},
		"s3://data/a/*.csv":   {"s3://data/a/1.csv", "s3://data/a/2.csv"},
		"s3://data/*/*/?.csv": {"s3://data/a/deep/3.csv"},
		"s3://data/a/[2-9]*":  {"s3://data/a/2.csv"},
		"s3://data/a/2.csv":   {"s3://data/a/2.csv"},
		"s3://data":           {"s3://data/ab"},
		"s3://data/a/deep/":   {"s3://data/a/deep/3.csv"},
	} {
		found, err := place.ListS3(t.Context(), source, 100)
		require.NoError(t, err, source)
		require.Equal(t, want, found, source)
	}
	for source, want := range map[string]string{
		"s3://data/x/": "none below", "s3://data/[": "malformed", "s3://nobucket/a": "no bucket", "s3://data/x*": "none below",
	} {
		_, err := place.ListS3(t.Context(), source, 100)
		require.ErrorIs(t, err, job.ErrInvalid, source)
		require.ErrorContains(t, err, want, source)
	}
	_, err = place.ListS3(t.Context(), "s3://data/a", 2)
	require.ErrorContains(t, err, "over 2 objects")
}

// A cut transfer goes on where it was, with requests for the rest of the same version.
func TestS3GoesOn(t *testing.T) {
	sum := md5.Sum([]byte(content))
	tag := hex.EncodeToString(sum[:])
	var rests atomic.Int32
	bucket(t, map[string]string{"1.csv": content}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/1.csv") {
			return false
		}
		if r.Header.Get("Range") == "" {
			cut(t, w, "200 OK\r\nETag: \""+tag+"\"\r\nLast-Modified: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 320000", content[:1000])
			return true
		}
		rests.Add(1)
		require.Equal(t, `"`+tag+`"`, r.Header.Get("If-Match"))
		require.Equal(t, "bytes=1000-", r.Header.Get("Range"))
		return false
	})
	f, err := place.S3(t.Context(), "s3://data/1.csv")
	require.NoError(t, err)
	defer f.Close()
	got, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, content, string(got))
	require.EqualValues(t, 1, rests.Load())
}

func TestS3Credentials(t *testing.T) {
	bucket(t, nil, func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>")
		return true
	})
	_, err := place.S3(t.Context(), "s3://data/1.csv")
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "AWS_ACCESS_KEY_ID")
	require.NotContains(t, err.Error(), "Mark3dSecret")
	t.Setenv("AWS_ENDPOINT_URL", "ftp://x")
	_, err = place.S3(t.Context(), "s3://data/1.csv")
	require.ErrorIs(t, err, job.ErrInvalid)
}
