package ingest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// made is a CSV source of that many rows that is generated during the read.
type made int

func (m made) Open(context.Context, string) (io.ReadCloser, error) {
	return &madeRows{rows: int(m), left: []byte("a,b,y\n")}, nil
}

type madeRows struct {
	rows, next int
	left       []byte
}

func (m *madeRows) Read(p []byte) (int, error) {
	for len(m.left) == 0 {
		if m.next == m.rows {
			return 0, io.EOF
		}
		m.left = m.left[:0]
		for _, v := range []int{m.next, m.next % 1013} {
			m.left = append(strconv.AppendInt(m.left, int64(v), 10), ',')
		}
		m.left = append(strconv.AppendInt(m.left, int64(m.next%7), 10), '\n')
		m.next++
	}
	n := copy(p, m.left)
	m.left = m.left[n:]
	return n, nil
}

func (m *madeRows) Close() error { return nil }

// inUse returns the bytes of the heap that are in use.
func inUse() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// The memory of an ingest grows by 4 bytes per row, for the order of the rows, and not
// with the cells of a row, here 24 B. The test measures after a part was written.
// Everything that lives as long as the ingest exists then. No block is in flight, whose
// number would be random.
func TestMemoryPerRow(t *testing.T) {
	const most = 4.5 // bytes per row
	for name, change := range map[string]func(*job.Spec){
		"shuffled": func(s *job.Spec) { s.Data.Shuffle = true },
		"stratified": func(s *job.Spec) {
			s.Loss, s.Data.Split.Stratify = job.SoftmaxCrossEntropy, true
		},
		"cleaned": func(s *job.Spec) {
			s.Data.Clean = job.Clean{Duplicates: job.DropDuplicates, Missing: job.Missing{Method: "median"}}
			s.Data.Transform.Scale.Method = "standard"
		},
	} {
		t.Run(name, func(t *testing.T) {
			held := func(rows int) (bytes float64) {
				spec := csvSpec()
				spec.Data.Split = job.SplitSpec{Train: 0.8, Test: 0.2}
				change(spec)
				in := &Ingest{Sources: made(rows), Store: discard{}, Memory: 256 << 10, Progress: func(string) { bytes = max(bytes, inUse()) }}
				_, err := in.Run(t.Context(), spec)
				require.NoError(t, err)
				return bytes
			}
			held(1000) // allocations that happen only once
			sizes := []int{50_000, 100_000, 200_000}
			before := held(sizes[0])
			for i, rows := range sizes[1:] {
				now := held(rows)
				per := (now - before) / float64(rows-sizes[i])
				require.Less(t, per, most, "bytes per row from %d rows to %d", sizes[i], rows)
				before = now
			}
		})
	}
}

// A dataset is the same if its table is in memory, in files, or split into regions of a
// few rows.
func TestSameBlocksFromFiles(t *testing.T) {
	pixels, classes := images(500)
	from := sources{"images": idxBytes(pixels, 500, 28, 28), "labels": idxBytes(classes, 500)}
	distinct := creditSpec()
	distinct.Data.Clean.Duplicates = job.DropDuplicates
	mnist := idxSpec()
	mnist.Data.Shuffle = true
	for name, c := range map[string]struct {
		spec *job.Spec
		from Opener
	}{
		"digits": {digitsSpec(), local}, "ames": {amesSpec(), local}, "credit": {creditSpec(), local},
		"distinct": {distinct, local}, "images": {mnist, from},
	} {
		t.Run(name, func(t *testing.T) {
			want := mustRun(t, c.spec, c.from).Manifest
			for _, memory := range []int64{1, 5000, 100_000} {
				folder := t.TempDir()
				in := &Ingest{Sources: c.from, Store: discard{}, Memory: memory, Scratch: folder}
				got, err := in.Run(t.Context(), c.spec)
				require.NoError(t, err)
				require.Equal(t, want, got, "%d bytes in memory", memory)
				left, err := os.ReadDir(folder)
				require.NoError(t, err)
				require.Empty(t, left)
			}
		})
	}
}

// A scratch file that cannot be created is not a fault of the data. The error names the
// folder and a remedy, and is temporary.
func TestNoFolderForScratch(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, folder := range []string{none, file} {
		in := &Ingest{Sources: local, Store: blob.NewMemory(0), Memory: 1, Scratch: folder}
		_, err := in.Run(t.Context(), digitsSpec())
		require.ErrorContains(t, err, fmt.Sprintf("make a scratch file in the folder %q for temporary files (create it, or set TMPDIR to a folder that exists)", folder))
		for _, class := range []error{job.ErrInvalid, job.ErrNotFound, job.ErrCorrupt, job.ErrPoison} {
			require.NotErrorIs(t, err, class)
		}
	}
}

// A full disk, at any write, is job.ErrFull, and the error names the place.
func TestScratchOnAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	require.NoError(t, err)
	s := &space{folder: "/scratch/folder"}
	t.Cleanup(func() { full.Close() })
	c := &scratch{file: full, space: s, out: bufio.NewWriterSize(full, 16)}
	_, err = c.Write(make([]byte, 64))
	for _, err := range []error{err, c.done(), c.put([]byte{1}, 0)} {
		require.ErrorIs(t, err, job.ErrFull)
		require.NotErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, `write a scratch file in the folder "/scratch/folder" for temporary files (free space there, or set TMPDIR to a folder with more space)`)
	}
}

// A scratch that fails at any write or read fails the ingest.
func TestScratchFailure(t *testing.T) {
	s := &space{folder: t.TempDir()}
	c, err := s.cells([]float64{1, 2, 3}, 1)
	require.NoError(t, err)
	require.NoError(t, s.close())
	require.ErrorIs(t, c.each(t.Context(), all(3), func(int, []float64) {}), os.ErrClosed)
	_, err = s.deal(t.Context(), c, []int32{2, 0}, 3)
	require.ErrorIs(t, err, os.ErrClosed)
}
