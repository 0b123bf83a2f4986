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

// keepBytes is the part of a table that stays in memory; a larger table goes to a file.
const keepBytes = 16 << 20

// space creates the scratches of one ingest and removes them.
type space struct {
	folder string // folder of the files; "" is the system's folder for temporary files
	keep   int64  // maximum bytes of a scratch in memory
	files  []*os.File
}

// scratch holds bytes that are written once, from front to back, and then read at any
// offset. Any number of goroutines may read at the same time.
type scratch struct {
	memory []byte   // all bytes, if there is no file
	file   *os.File // has no name, so it vanishes with the process
	space  *space
	out    *bufio.Writer
}

// scratch creates a scratch for that many bytes.
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

// refused explains the error of a file that cannot be created or written: it names the
// folder and a remedy. The error is never the job's fault and may be temporary. A full
// disk is job.ErrFull; any other error has no class.
func (s *space) refused(doing string, err error) error {
	folder, remedy := s.folder, "let the coordinator write there, or set TMPDIR to another folder"
	if folder == "" {
		folder = os.TempDir()
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		err = fmt.Errorf("%w: %w", err, job.ErrFull)
		remedy = "free space there, or set TMPDIR to a folder with more space"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		remedy = "create it, or set TMPDIR to a folder that exists"
	}
	return fmt.Errorf("%s a scratch file in the folder %q for temporary files (%s): %w", doing, folder, remedy, err)
}

// close releases the files.
func (s *space) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Write appends. It fails with job.ErrFull if the disk is full.
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

// put writes at an offset of a file to which nothing has been appended.
func (s *scratch) put(p []byte, at int64) error {
	_, err := s.file.WriteAt(p, at)
	return s.written(err)
}

// view returns n bytes at an offset. It reads them into dst if they are in a file. The
// caller must not change them.
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
