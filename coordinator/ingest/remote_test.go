package ingest

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/place"
	"tributary/shared/job"
)

const points = "a,y\n1,2\n2,4\n3,7\n"

// A file of a web server is a source as a local one is; it is transferred once, packed or
// not.
func TestWebSources(t *testing.T) {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	f, err := z.Create("points.csv")
	require.NoError(t, err)
	_, err = io.WriteString(f, points)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	files := map[string][]byte{"/p.csv": []byte(points), "/p.csv.gz": pack(t, []byte(points)), "/p.csv.zip": archive.Bytes()}
	var requests atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = w.Write(files[r.URL.Path])
	}))
	defer s.Close()
	want := mustRun(t, csvSpec(), sources{"in": []byte(points)}).digest(t)
	for name := range files {
		requests.Store(0)
		spec := csvSpec()
		spec.Data.Source = s.URL + name
		spec.Data.Test = spec.Data.Source
		o := mustRun(t, spec, local)
		require.Equal(t, o.x[job.Train], o.x[job.Test])
		require.EqualValues(t, 1, requests.Load(), name)
		require.Contains(t, strings.Join(o.said, "\n"), "from "+s.URL+name)
		spec.Data.Test = ""
		require.Equal(t, want, mustRun(t, spec, local).digest(t), "the same dataset as from a file")
	}
	spec := csvSpec()
	spec.Data.Source = s.URL + "/p.csv"
	in := &Ingest{Sources: local, Store: discard{}, MaxBytes: 10}
	_, err = in.Run(t.Context(), spec)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "over the limit")
}

func TestDigestOfASource(t *testing.T) {
	sum := sha256.Sum256([]byte(points))
	dir := t.TempDir()
	for _, name := range []string{"a.csv", "b.csv"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(points), 0o600))
	}
	spec := csvSpec()
	spec.Data.Source, spec.Data.SHA256 = filepath.Join(dir, "a.csv"), job.Digest(hex.EncodeToString(sum[:]))
	mustRun(t, spec, local)
	spec.Data.Source = dir
	_, err := run(t, spec, local)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "data.sha256 is that of one file, there are 2")
	spec.Data.Source = "in"
	_, err = run(t, spec, sources{"in": []byte(points + "4,8\n")})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "data.sha256 says "+hex.EncodeToString(sum[:]))
}

// A submitted spec reads only below the addresses that the operator lists.
func TestAllowedAddresses(t *testing.T) {
	places, err := Allow([]string{"https://data.example.org/sets/", "http://10.0.0.7:8000", "s3://bucket/team", "s3://open-data"})
	require.NoError(t, err)
	r := &Roots{Places: places, Outside: place.Outside{}}
	for source, ok := range map[string]bool{
		"https://data.example.org/sets/a.csv":           true,
		"https://DATA.example.org:443/sets/deep/a.csv":  true,
		"https://data.example.org/sets/a.csv?page=1":    true,
		"https://data.example.org/sets/../private.csv":  false,
		"https://data.example.org/sets/%2e%2e/a.csv":    false,
		"https://data.example.org/setsx/a.csv":          false,
		"https://data.example.org/a.csv":                false,
		"http://data.example.org/sets/a.csv":            false,
		"https://data.example.org:8443/sets/a.csv":      false,
		"https://data.example.org.evil.org/sets/a.csv":  false,
		"https://evil.org/sets/a.csv":                   false,
		"https://evil.org@data.example.org/sets/a.csv":  false,
		"https://data.example.org@evil.org/sets/a.csv":  false,
		"http://169.254.169.254/latest/meta-data/a.csv": false,
		"http://10.0.0.7:8000/a.csv":                    true,
		"http://10.0.0.7/a.csv":                         false,
		"s3://bucket/team/a.csv":                        true,
		"s3://bucket/team/*.csv":                        true,
		"s3://bucket/team":                              true,
		"s3://bucket/teams/a.csv":                       false,
		"s3://bucket/a.csv":                             false,
		"s3://bucket/*/a.csv":                           false,
		"s3://open-data/a.csv":                          true,
		"s3://open-data":                                true,
		"s3://other/a.csv":                              false,
	} {
		err := r.Allowed(source)
		if ok {
			require.NoError(t, err, source)
			continue
		}
		require.ErrorIs(t, err, job.ErrInvalid, source)
		_, err = r.Open(t.Context(), source)
		require.ErrorIs(t, err, job.ErrInvalid, source)
		_, err = run(t, &job.Spec{Loss: job.MSE, Data: job.Data{Source: source, Format: job.CSV, Label: job.Columns{"y"}}}, r)
		require.ErrorIs(t, err, job.ErrInvalid, source)
	}
	_, err = Allow([]string{"https://data.example.org/?a=b"})
	require.ErrorIs(t, err, job.ErrInvalid)
}

// A redirect of an allowed server to another one is refused.
func TestRedirectsOfPlaces(t *testing.T) {
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { t.Error("the other server was asked") }))
	defer evil.Close()
	good := httptest.NewServer(http.RedirectHandler(evil.URL+"/a.csv", http.StatusFound))
	defer good.Close()
	places, err := Allow([]string{good.URL})
	require.NoError(t, err)
	u, err := url.Parse(good.URL)
	require.NoError(t, err)
	_, err = (&Roots{Places: places, Outside: place.Outside{}}).Open(context.Background(), "http://"+u.Host+"/a.csv")
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "a redirect to")
}
