package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/job"
)

// names stores entries in memory.
type names struct {
	mu        sync.Mutex
	entries   map[string]Entry
	revisions map[string]uint64
	before    func() // called once before Set
}

func (n *names) Get(_ context.Context, name string) (Entry, uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e, ok := n.entries[name]
	if !ok {
		return Entry{}, 0, job.ErrNotFound
	}
	e.Versions = slices.Clone(e.Versions)
	return e, n.revisions[name], nil
}

func (n *names) Set(_ context.Context, e Entry, revision uint64) error {
	if f := n.before; f != nil {
		n.before = nil
		f()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.revisions[e.Name] != revision {
		return job.ErrConflict
	}
	n.entries[e.Name] = e
	n.revisions[e.Name]++
	return nil
}

func (n *names) All(context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, e := range n.entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func made() (*Catalog, *names, *blob.Memory) {
	n, b := &names{entries: map[string]Entry{}, revisions: map[string]uint64{}}, blob.NewMemory(0)
	return &Catalog{
		Names: n, Blobs: b, Now: func() time.Time { return time.Unix(1, 0) },
		Needed: func(context.Context, string, int) ([]string, error) { return nil, nil },
	}, n, b
}

func opens(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

var csv = Added{Format: job.CSV, Source: "a.csv"}

// read returns the bytes of a version.
func read(t *testing.T, c *Catalog, name string, version int) string {
	t.Helper()
	r, err := c.Open(t.Context(), name, version)
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(data)
}

func TestVersions(t *testing.T) {
	c, _, _ := made()
	large := strings.Repeat("0123456789abcdef", partBytes/16) + "the second part"
	for i, text := range []string{"first", large, "third"} {
		v, err := c.Put(t.Context(), "iris", csv, opens(text))
		require.NoError(t, err)
		require.Equal(t, i+1, v.Version)
		require.Equal(t, blob.DigestOf([]byte(text)), v.SHA256)
		again, err := c.Put(t.Context(), "iris", csv, opens(text))
		require.NoError(t, err)
		require.Equal(t, v, again, "the same bytes make no version")
	}
	require.Equal(t, "first", read(t, c, "iris", 1))
	require.Equal(t, large, read(t, c, "iris", 2))
	require.Equal(t, "third", read(t, c, "iris", 0))
	require.NoError(t, c.Remove(t.Context(), "iris", 3))
	require.Equal(t, large, read(t, c, "iris", 0))
	v, err := c.Put(t.Context(), "iris", csv, opens("fourth"))
	require.NoError(t, err)
	require.Equal(t, 4, v.Version, "numbers are not used again")
	list, err := c.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)

	for want, do := range map[string]func() error{
		`there is no data set "irs"; did you mean "iris"?`: func() error { _, err := c.Get(t.Context(), "irs", 0); return err },
		`has no version 9: it has 1, 2, 4`:                 func() error { _, err := c.Open(t.Context(), "iris", 9); return err },
		`has no version 3`:                                 func() error { return c.Remove(t.Context(), "iris", 3) },
		`want the version to remove`:                       func() error { return c.Remove(t.Context(), "iris", 0) },
		`name: `:                                           func() error { _, err := c.Put(t.Context(), "No name", csv, opens("x")); return err },
		`format: "xml"`:                                    func() error { _, err := c.Put(t.Context(), "a", Added{Format: "xml"}, opens("x")); return err },
		`it has no bytes`:                                  func() error { _, err := c.Put(t.Context(), "a", csv, opens("")); return err },
	} {
		require.ErrorContains(t, do(), want)
	}
}

func TestAVersionThatIsNeededStays(t *testing.T) {
	c, _, _ := made()
	_, err := c.Put(t.Context(), "iris", csv, opens("x"))
	require.NoError(t, err)
	needed := []string{"job j-1", "job j-2"}
	c.Needed = func(context.Context, string, int) ([]string, error) { return needed, nil }
	err = c.Remove(t.Context(), "iris", 1)
	require.ErrorIs(t, err, job.ErrConflict)
	require.ErrorContains(t, err, "needed by job j-1 and 1 more")
	calls := 0
	c.Needed = func(context.Context, string, int) ([]string, error) {
		if calls++; calls == 1 {
			return nil, nil
		}
		return needed, nil // submitted meanwhile
	}
	require.ErrorIs(t, c.Remove(t.Context(), "iris", 1), job.ErrConflict)
	require.Equal(t, "x", read(t, c, "iris", 1))
	r := job.Record{State: job.Running, Datasets: []job.Dataset{{Name: "iris", Version: 1}}}
	require.True(t, r.NeedsDataset("iris", 1))
	require.False(t, r.NeedsDataset("iris", 2))
	r.State = job.Failed
	require.True(t, r.NeedsDataset("iris", 1), "it can be retried")
	r.State = job.Succeeded
	require.False(t, r.NeedsDataset("iris", 1))
}

// Blobs that a collector deletes before it knows the version are put again.
func TestBlobsThatVanishArePutAgain(t *testing.T) {
	c, n, b := made()
	n.before = func() {
		for s := range b.List(t.Context()) {
			require.NoError(t, b.Delete(t.Context(), s.Digest))
		}
	}
	busy := 3
	c.Collecting = func(context.Context) (bool, error) { busy--; return busy > 0, nil }
	_, err := c.Put(t.Context(), "iris", csv, opens("the bytes"))
	require.NoError(t, err)
	require.Negative(t, busy)
	require.Equal(t, "the bytes", read(t, c, "iris", 1))

	n.before = func() {
		for s := range b.List(t.Context()) {
			require.NoError(t, b.Delete(t.Context(), s.Digest))
		}
	}
	opened := 0
	_, err = c.Put(t.Context(), "other", csv, func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(strings.NewReader(fmt.Sprint(opened))), nil
	})
	require.ErrorContains(t, err, "the bytes changed")
	_, err = c.Get(t.Context(), "other", 0)
	require.ErrorIs(t, err, job.ErrNotFound)
}

// Whichever operation of the blob store fails, no version is left that cannot be read.
func TestAPutThatFailsLeavesNothing(t *testing.T) {
	for at := int64(1); ; at++ {
		c, n, b := made()
		c.Blobs = &blobtest.Faulty{Store: b, At: at}
		_, err := c.Put(t.Context(), "iris", csv, opens(strings.Repeat("x", partBytes+1)))
		c.Blobs = b
		if err == nil {
			require.Greater(t, at, int64(3))
			require.Len(t, read(t, c, "iris", 0), partBytes+1)
			return
		}
		require.Empty(t, n.entries["iris"].Versions)
		_, err = c.Put(t.Context(), "iris", csv, opens("x"))
		require.NoError(t, err)
	}
}

func TestACollectorKnowsTheBlobs(t *testing.T) {
	c, n, b := made()
	_, err := c.Put(t.Context(), "a", csv, opens(strings.Repeat("x", partBytes)+"y"))
	require.NoError(t, err)
	_, err = c.Put(t.Context(), "b", csv, opens("z"))
	require.NoError(t, err)
	known := map[job.Digest]bool{}
	require.NoError(t, c.NeededBlobs(t.Context(), func(d ...job.Digest) {
		for _, d := range d {
			known[d] = true
		}
	}))
	stored := 0
	for s := range b.List(t.Context()) {
		require.True(t, known[s.Digest])
		stored++
	}
	require.Equal(t, 5, stored)
	nothing := func(...job.Digest) {}
	require.NoError(t, b.Delete(t.Context(), n.entries["a"].Versions[0].Parts))
	require.ErrorContains(t, c.NeededBlobs(t.Context(), nothing), "data set a@1")
	e := n.entries["a"]
	e.Versions = slices.Clone(e.Versions)
	e.Versions[0].Pending = true
	n.entries["a"] = e
	require.NoError(t, c.NeededBlobs(t.Context(), nothing), "who stores it puts the blobs again")
	_, err = c.Get(t.Context(), "a", 1)
	require.ErrorContains(t, err, "is still being stored")
}

func TestDamageIsNoticed(t *testing.T) {
	c, n, b := made()
	_, err := c.Put(t.Context(), "a", csv, opens("hello"))
	require.NoError(t, err)
	require.NoError(t, b.Delete(t.Context(), blob.DigestOf([]byte("hello"))))
	r, err := c.Open(t.Context(), "a", 1)
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.ErrorIs(t, err, job.ErrNotFound)
	bad, err := b.Put(t.Context(), []byte(`{"version":2}`))
	require.NoError(t, err)
	e := n.entries["a"]
	e.Versions = []Version{{Version: 1, Bytes: 5, Parts: bad}}
	n.entries["a"] = e
	_, err = c.Open(t.Context(), "a", 1)
	require.ErrorIs(t, err, job.ErrCorrupt)
	short, err := b.Put(t.Context(), []byte(`{"version":1,"parts":[]}`))
	require.NoError(t, err)
	e.Versions = []Version{{Version: 1, Bytes: 5, Parts: short}}
	n.entries["a"] = e
	r, err = c.Open(t.Context(), "a", 1)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, r)
	require.ErrorIs(t, err, job.ErrCorrupt)
	_, err = c.Put(t.Context(), "b", csv, func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader([]byte("x")), broken{})), nil
	})
	require.ErrorContains(t, err, "read the bytes: on purpose")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("on purpose") }

func FuzzParseDataset(f *testing.F) {
	f.Add("dataset:a@1")
	f.Fuzz(func(t *testing.T, s string) {
		name, version, err := job.ParseDataset(s)
		if err == nil && (job.ID(name).Validate() != nil || version < 0) {
			t.Fatal(name, version)
		}
	})
}
