package ingest

import (
	"bufio"
	"errors"
	"fmt"
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
	out    *bufio.Writer
}

// scratch makes one for so many bytes.
func (s *space) scratch(bytes int64) (*scratch, error) {
	if bytes <= s.keep {
		return &scratch{memory: make([]byte, 0, bytes)}, nil
	}
	f, err := os.CreateTemp(s.folder, "tributary-ingest-*")
	if err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	s.files = append(s.files, f)
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	return &scratch{file: f, out: bufio.NewWriterSize(f, 256<<10)}, nil
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
	return n, full(err)
}

// done ends the writing.
func (s *scratch) done() error {
	if s.file == nil {
		return nil
	}
	err := full(s.out.Flush())
	s.out = nil
	return err
}

// put writes at a place of a file that nobody has appended to.
func (s *scratch) put(p []byte, at int64) error {
	_, err := s.file.WriteAt(p, at)
	return full(err)
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

// full gives a full disk its class.
func full(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("write scratch file: %w: %w", err, job.ErrFull)
	default:
		return fmt.Errorf("write scratch file: %w", err)
	}
}
