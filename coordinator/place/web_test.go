package place_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/place"
	"tributary/shared/job"
)

var content = strings.Repeat("0123456789abcdef", 20_000)

// server is a web server with faults.
type server struct {
	*httptest.Server
	requests atomic.Int32
	ranges   atomic.Int32 // requests for the rest of a file
}

// serve answers GET /file with what answer writes; n counts the requests from 1 on.
func serve(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int32)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			s.ranges.Add(1)
		}
		answer(w, r, s.requests.Add(1))
	}))
	t.Cleanup(s.Close)
	return s
}

func read(t *testing.T, w *place.Web, address string) (string, error) {
	t.Helper()
	w.Pause = time.Microsecond
	f, err := w.Open(t.Context(), address)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	return string(data), err
}

// cut sends the head of an answer and a part of the body, and closes the connection.
func cut(t *testing.T, w http.ResponseWriter, head string, body string) {
	t.Helper()
	c, out, err := w.(http.Hijacker).Hijack()
	require.NoError(t, err)
	_, _ = fmt.Fprintf(out, "HTTP/1.1 %s\r\n\r\n%s", head, body)
	_ = out.Flush()
	_ = c.Close()
}

func TestWebGoesOnAfterFaults(t *testing.T) {
	n := len(content)
	for about, c := range map[string]struct {
		ranges bool
		answer func(w http.ResponseWriter, r *http.Request, n int32)
	}{
		"with ranges": {true, func(w http.ResponseWriter, r *http.Request, i int32) {
			if i%2 == 1 && i < 6 {
				var from int
				if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
					cut(t, w, fmt.Sprintf("206 Partial Content\r\nETag: \"v1\"\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d", from, n-1, n, n-from), content[from:min(from+70_000, n)])
				} else {
					cut(t, w, fmt.Sprintf("200 OK\r\nETag: \"v1\"\r\nContent-Length: %d", n), content[:70_000])
				}
				return
			}
			if i < 6 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("ETag", `"v1"`)
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
		}},
		"without ranges": {false, func(w http.ResponseWriter, _ *http.Request, i int32) {
			if i < 5 {
				cut(t, w, fmt.Sprintf("200 OK\r\nETag: W/\"weak\"\r\nContent-Length: %d", n), content[:int(i)*50_000])
				return
			}
			_, _ = io.WriteString(w, content)
		}},
	} {
		t.Run(about, func(t *testing.T) {
			s := serve(t, c.answer)
			got, err := read(t, &place.Web{}, s.URL+"/file?x=1")
			require.NoError(t, err)
			require.Equal(t, content, got)
			require.Equal(t, c.ranges, s.ranges.Load() > 0)
		})
	}
}

func TestWebFaults(t *testing.T) {
	short := func(tag, body string) func(w http.ResponseWriter, r *http.Request, n int32) {
		return func(w http.ResponseWriter, _ *http.Request, i int32) {
			if i == 1 {
				cut(t, w, fmt.Sprintf("200 OK\r\n%sContent-Length: %d", tag, len(content)), content[:1000])
				return
			}
			w.Header().Set("ETag", `"v2"`)
			_, _ = io.WriteString(w, body)
		}
	}
	changed := strings.Replace(content, "1", "x", 1)
	for about, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, n int32)
		want   string
		fault  bool
	}{
		"another version": {short("ETag: \"v1\"\r\n", content), "changed while it was being read", true},
		"another length":  {short("ETag: \"v2\"\r\n", content+"x"), "changed while it was being read", true},
		"other bytes":     {short("ETag: \"v2\"\r\n", changed), "changed while it was being read", true},
		"missing":         {func(w http.ResponseWriter, _ *http.Request, _ int32) { w.WriteHeader(http.StatusNotFound) }, "404 Not Found", true},
		"forbidden":       {func(w http.ResponseWriter, _ *http.Request, _ int32) { w.WriteHeader(http.StatusForbidden) }, "403 Forbidden", true},
		"never":           {func(w http.ResponseWriter, _ *http.Request, _ int32) { w.WriteHeader(http.StatusBadGateway) }, "6 attempts after 0 bytes: the server answers 502", false},
		"never the end": {func(w http.ResponseWriter, _ *http.Request, _ int32) {
			cut(t, w, "200 OK\r\nContent-Length: 10", "1234")
		}, "attempts after 4 bytes: unexpected EOF", false},
		"round and round": {func(w http.ResponseWriter, r *http.Request, _ int32) { http.Redirect(w, r, "/again", http.StatusFound) }, "over 10 redirects", true},
		"to a file": {func(w http.ResponseWriter, r *http.Request, _ int32) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "redirect", true},
	} {
		t.Run(about, func(t *testing.T) {
			s := serve(t, c.answer)
			_, err := read(t, &place.Web{}, s.URL+"/file")
			require.ErrorContains(t, err, c.want)
			require.Equal(t, c.fault, strings.HasSuffix(err.Error(), job.ErrInvalid.Error()), "%v", err)
		})
	}
}

// Under a list of places, a redirect leads only to places of the list, and no request
// carries credentials.
func TestWebPlaces(t *testing.T) {
	evil := serve(t, func(w http.ResponseWriter, _ *http.Request, _ int32) { _, _ = io.WriteString(w, "secret") })
	good := serve(t, func(w http.ResponseWriter, r *http.Request, _ int32) {
		require.Empty(t, r.Header.Get("Authorization"))
		require.Empty(t, r.Header.Get("Cookie"))
		switch r.URL.Path {
		case "/data/evil":
			http.Redirect(w, r, evil.URL+"/x", http.StatusFound)
		case "/data/up":
			http.Redirect(w, r, "/private", http.StatusFound)
		case "/data/moved":
			http.Redirect(w, r, "/data/file", http.StatusFound)
		default:
			_, _ = io.WriteString(w, "data")
		}
	})
	home, err := url.Parse(good.URL)
	require.NoError(t, err)
	w := &place.Web{Allowed: func(u *url.URL) bool { return u.Host == home.Host && strings.HasPrefix(u.Path, "/data/") }}
	got, err := read(t, w, good.URL+"/data/moved")
	require.NoError(t, err)
	require.Equal(t, "data", got)
	for _, at := range []string{"/data/evil", "/data/up", "/private"} {
		_, err := read(t, w, good.URL+at)
		require.ErrorIs(t, err, job.ErrInvalid, at)
		require.ErrorContains(t, err, "--data-place", at)
	}
	require.Zero(t, evil.requests.Load())
	got, err = read(t, &place.Web{}, good.URL+"/data/evil")
	require.NoError(t, err, "a person at the terminal follows any redirect")
	require.Equal(t, "secret", got)
}

func TestWebStops(t *testing.T) {
	held := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request, _ int32) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "1")
		w.(http.Flusher).Flush()
		<-held
	})
	defer close(held)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f, err := (&place.Web{}).Open(ctx, s.URL+"/file")
	require.NoError(t, err)
	defer f.Close()
	one := make([]byte, 1)
	_, err = f.Read(one)
	require.NoError(t, err)
	cancel()
	_, err = f.Read(one)
	require.ErrorIs(t, err, context.Canceled)
}
