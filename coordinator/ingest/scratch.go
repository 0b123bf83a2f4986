package ingest

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"tributary/shared/job"
)

// keepBytes of a table stay in memory; what is larger goes to a file.
const keepBytes = 16 << 20

// space makes the scratches of one ingest and takes them away again.
type space struct {
	folder string // of the files; "" is the system's for temporary files
	keep   int64  // the bytes of a scratch that stay in memory
	files  []*os.File
}

// scratch is bytes that are written once, from front to back, and then read
// at any place, by several goroutines at a time.
type scratch struct {
	memory []byte   // all of them, if there is no file
	file   *os.File // has no name: it is gone when the process is
	space  *space
	out    *bufio.Writer
}

// scratch makes one for so many bytes.
func (s *space) scratch(bytes int64) (*scratch, error) {
	if bytes <= s.keep {
		return &scratch{memory: make([]byte, 0, bytes)}, nil
	}
	f, err := os.CreateTemp(s.folder, "tributary-ingest-*")
	if err != nil {
		return nil, s.refused("make", err)
	}
	s.files = append(s.files, f)
	if err := os.Remove(f.Name()); err != nil {
		return nil, s.refused("unlink", err)
	}
	return &scratch{file: f, space: s, out: bufio.NewWriterSize(f, 256<<10)}, nil
}

// refused says of a file that cannot be made or written which folder it is in and what
// a person can do. It is never the job's fault, so it may pass: a full disk is
// job.ErrFull, anything else of no class.
func (s *space) refused(doing string, err error) error {
	folder, remedy := s.folder, "see to it that the coordinator can write there, or set TMPDIR to another folder"
	if folder == "" {
		folder = os.TempDir()
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		err = fmt.Errorf("%w: %w", err, job.ErrFull)
		remedy = "make room there, or set TMPDIR to a folder with more"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		remedy = "make it, or set TMPDIR to a folder that is there"
	}
	return fmt.Errorf("%s a scratch file in the folder %q for temporary files (%s): %w", doing, folder, remedy, err)
}

// close frees what the files took.
func (s *space) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Write appends. A full disk is job.ErrFull.
func (s *scratch) Write(p []byte) (int, error) {
	if s.file == nil {
		s.memory = append(s.memory, p...)
		return len(p), nil
	}
	n, err := s.out.Write(p)
	return n, s.written(err)
}

// done ends the writing.
func (s *scratch) done() error {
	if s.file == nil {
		return nil
	}
	err := s.written(s.out.Flush())
	s.out = nil
	return err
}

// put writes at a place of a file that nobody has appended to.
func (s *scratch) put(p []byte, at int64) error {
	_, err := s.file.WriteAt(p, at)
	return s.written(err)
}

// view returns the n bytes at a place, in dst if they had to be read; the
// caller does not change them.
func (s *scratch) view(dst []byte, at int64, n int) ([]byte, error) {
	if s.file == nil {
		return s.memory[at : at+int64(n)], nil
	}
	if cap(dst) < n {
		dst = make([]byte, n)
	}
	dst = dst[:n]
	if _, err := s.file.ReadAt(dst, at); err != nil {
		return nil, fmt.Errorf("read scratch file: %w", err)
	}
	return dst, nil
}

// written explains an error of writing.
func (s *scratch) written(err error) error {
	if err == nil {
		return nil
	}
	return s.space.refused("write", err)
}
