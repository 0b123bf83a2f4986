package blob

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// ailing is a file on a disk that becomes full.
type ailing struct {
	file
	room            int64 // free bytes
	onSync, onClose bool  // the file reports the full disk only then
	errno           syscall.Errno
}

func (a *ailing) Write(data []byte) (int, error) {
	if int64(len(data)) <= a.room || a.onSync || a.onClose {
		return a.file.Write(data)
	}
	n, _ := a.file.Write(data[:a.room])
	return n, a.errno
}

func (a *ailing) Sync() error {
	if a.onSync {
		return a.errno
	}
	return a.file.Sync()
}

func (a *ailing) Close() error {
	if err := a.file.Close(); err != nil || !a.onClose {
		return err
	}
	return a.errno
}

func TestAFullDiskLeavesNothingBehind(t *testing.T) {
	data := make([]byte, 1000)
	for name, harm := range map[string]ailing{
		"at once":         {errno: syscall.ENOSPC},
		"half-way":        {room: 500, errno: syscall.ENOSPC},
		"over the quota":  {room: 999, errno: syscall.EDQUOT},
		"when it is sent": {onSync: true, errno: syscall.ENOSPC},
		"at the very end": {onClose: true, errno: syscall.ENOSPC},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			d, err := NewDirectory(root)
			require.NoError(t, err)
			d.create = func(dir string) (file, error) {
				f, err := createTemp(dir)
				harm.file = f
				return &harm, err
			}
			_, err = d.Put(t.Context(), data)
			require.ErrorIs(t, err, job.ErrFull)
			require.ErrorIs(t, err, harm.errno)
			require.ErrorContains(t, err, "put blob "+string(DigestOf(data)))
			require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
				require.False(t, e.Type().IsRegular(), "%s is left", path)
				return err
			}))
			has, err := d.Has(t.Context(), DigestOf(data))
			require.NoError(t, err)
			require.False(t, has)

			d.create = createTemp // there is space again
			_, err = d.Put(t.Context(), data)
			require.NoError(t, err)
			_, err = d.Get(t.Context(), DigestOf(data))
			require.NoError(t, err)
		})
	}
}
