package blob_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/job"
)

func TestMemory(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blobtest.Fixture {
		return blobtest.Fixture{Store: blob.NewMemory(0)}
	})
}

func TestDirectory(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Fixture {
		root := t.TempDir()
		d, err := blob.NewDirectory(root)
		require.NoError(t, err)
		return blobtest.Fixture{Store: d, Corrupt: func(t *testing.T, digest job.Digest, data []byte) {
			require.NoError(t, os.WriteFile(file(root, digest), data, 0o600))
		}}
	})
}

func file(root string, digest job.Digest) string {
	return filepath.Join(root, string(digest[:2]), string(digest[2:4]), string(digest))
}

func TestMemoryLimit(t *testing.T) {
	ctx := t.Context()
	m := blob.NewMemory(10)
	first, err := m.Put(ctx, []byte("123456"))
	require.NoError(t, err)
	_, err = m.Put(ctx, []byte("1234567"))
	require.ErrorIs(t, err, job.ErrFull)
	require.ErrorContains(t, err, "13 bytes; its limit is 10")
	_, err = m.Put(ctx, []byte("123456"))
	require.NoError(t, err, "a blob that is there needs no room")
	require.NoError(t, m.Delete(ctx, first))
	_, err = m.Put(ctx, []byte("1234567"))
	require.NoError(t, err)
}

func TestDirectoryIsShared(t *testing.T) {
	root := t.TempDir()
	a, err := blob.NewDirectory(root)
	require.NoError(t, err)
	digest, err := a.Put(t.Context(), []byte("from a"))
	require.NoError(t, err)
	b, err := blob.NewDirectory(root)
	require.NoError(t, err)
	got, err := b.Get(t.Context(), digest)
	require.NoError(t, err)
	require.Equal(t, "from a", string(got))
}

func TestDirectorySweepsOldLeftovers(t *testing.T) {
	root := t.TempDir()
	_, err := blob.NewDirectory(root)
	require.NoError(t, err)
	old, fresh := filepath.Join(root, "tmp", "put-1"), filepath.Join(root, "tmp", "put-2")
	for _, name := range []string{old, fresh} {
		require.NoError(t, os.WriteFile(name, []byte("half a bl"), 0o600))
	}
	past := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(old, past, past))

	_, err = blob.NewDirectory(root)
	require.NoError(t, err)
	require.NoFileExists(t, old)
	require.FileExists(t, fresh, "somebody may still be writing it")
}

func TestDirectoryLeavesNoTemporaryFiles(t *testing.T) {
	root := t.TempDir()
	d, err := blob.NewDirectory(root)
	require.NoError(t, err)
	digest, err := d.Put(t.Context(), []byte("x"))
	require.NoError(t, err)
	entries, err := os.ReadDir(filepath.Join(root, "tmp"))
	require.NoError(t, err)
	require.Empty(t, entries)
	require.FileExists(t, file(root, digest))
}

func TestDirectoryErrors(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	_, err := blob.NewDirectory(plain)
	require.ErrorContains(t, err, "open blob directory")

	root := t.TempDir()
	d, err := blob.NewDirectory(root)
	require.NoError(t, err)
	digest := blob.DigestOf([]byte("x"))
	require.NoError(t, os.MkdirAll(file(root, digest), 0o750))
	_, err = d.Get(t.Context(), digest)
	require.ErrorIs(t, err, job.ErrCorrupt, "a folder in the place of a blob")
	has, err := d.Has(t.Context(), digest)
	require.NoError(t, err)
	require.False(t, has)

	require.NoError(t, os.RemoveAll(filepath.Join(root, "tmp")))
	_, err = d.Put(t.Context(), []byte("y"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "put blob")
}

func TestTheFirstOriginHasADirectory(t *testing.T) {
	root := t.TempDir()
	for _, origin := range []string{"first", "second", "first"} {
		d, err := blob.NewDirectory(root)
		require.NoError(t, err)
		noted, err := d.Claim(t.Context(), origin)
		require.NoError(t, err)
		require.Equal(t, "first", noted)
	}
	entries, err := os.ReadDir(filepath.Join(root, "tmp"))
	require.NoError(t, err)
	require.Empty(t, entries)
}

// A store that is unreachable says nothing about its blobs: a job must not fail because of
// it.
func TestADirectoryThatIsGoneIsNoMissingBlob(t *testing.T) {
	root := filepath.Join(t.TempDir(), "blobs")
	d, err := blob.NewDirectory(root)
	require.NoError(t, err)
	digest, err := d.Put(t.Context(), []byte("x"))
	require.NoError(t, err)
	require.NoError(t, blob.Probe(t.Context(), d))
	gone := func(what string) {
		t.Helper()
		_, err := d.Get(t.Context(), digest)
		require.Error(t, err, what)
		require.NotErrorIs(t, err, job.ErrNotFound, what)
		_, err = d.Has(t.Context(), digest)
		require.Error(t, err, what)
	}
	require.NoError(t, os.Rename(root, root+"-away"))
	gone("it is renamed")
	require.NoError(t, os.Mkdir(root, 0o700))
	gone("a volume is not mounted")
	require.ErrorContains(t, blob.Probe(t.Context(), d), "its volume is not mounted")
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is written below the place of a volume")
	require.NoError(t, os.Remove(root))
	require.NoError(t, os.WriteFile(root, nil, 0o600))
	gone("a file is in its place")
	require.Error(t, blob.Probe(t.Context(), d))
	require.NoError(t, os.Remove(root))

	require.NoError(t, blob.Probe(t.Context(), d), "a folder that was removed is made again")
	_, err = d.Get(t.Context(), digest)
	require.ErrorIs(t, err, job.ErrNotFound, "now it is known")
	require.NoError(t, os.RemoveAll(root))
	require.NoError(t, os.Rename(root+"-away", root))
	got, err := d.Get(t.Context(), digest)
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
}

func TestProbeLeavesNothing(t *testing.T) {
	m := blob.NewMemory(100)
	for range 10 {
		require.NoError(t, blob.Probe(t.Context(), m))
	}
	_, err := m.Put(t.Context(), make([]byte, 90))
	require.NoError(t, err)
	require.ErrorIs(t, blob.Probe(t.Context(), m), job.ErrFull)
}
