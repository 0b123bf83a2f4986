package tabular

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"

	"tributary/shared/job"
)

// The first bytes of packed files.
var (
	magicGzip  = []byte{0x1f, 0x8b}
	magicZstd  = []byte{0x28, 0xb5, 0x2f, 0xfd}
	magicBzip2 = []byte("BZh")
	bzip2Block = []byte{0x31, 0x41, 0x59, 0x26, 0x53, 0x59} // of the first block, after the level
	magicZip   = []byte("PK\x03\x04")
)

// headBytes is the number of bytes that show how a file is packed.
const headBytes = 10

// maxWindow limits the memory of a zstd: the window of `zstd --long`.
const maxWindow = 128 << 20

// mayBePacked reports whether the first two bytes are those of a packed file.
func mayBePacked(head []byte) bool {
	for _, magic := range [][]byte{magicGzip, magicZstd, magicBzip2, magicZip} {
		if len(head) == 2 && bytes.HasPrefix(magic, head) {
			return true
		}
	}
	return false
}

// packing returns the name of the format in which a file is packed, or "".
func packing(head []byte) string {
	switch {
	case bytes.HasPrefix(head, magicGzip):
		return "gzip"
	case bytes.HasPrefix(head, magicZstd):
		return "zstd"
	case bytes.HasPrefix(head, magicBzip2) && len(head) == headBytes && bytes.Equal(head[4:], bzip2Block):
		return "bzip2"
	case bytes.HasPrefix(head, magicZip):
		return "zip"
	default:
		return ""
	}
}

// unpack returns the content of a packed file. in is buffered over file.
func unpack(kind string, in *bufio.Reader, file io.Reader) (io.Reader, error) {
	switch kind {
	case "gzip":
		return openMembers(in)
	case "zstd":
		return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	case "bzip2":
		return bzip2.NewReader(in), nil
	default:
		return unzip(file)
	}
}

// randomAccess is a file that can be read at any offset.
type randomAccess interface {
	io.ReaderAt
	io.Seeker
}

// maxDirectory limits the bytes of an archive's list of files, which stays in memory.
const maxDirectory = 4 << 20

// limitedAt reads at most a number of bytes.
type limitedAt struct {
	in   io.ReaderAt
	left int64
}

func (l *limitedAt) ReadAt(p []byte, at int64) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, fmt.Errorf("a %w whose list of files takes over %d bytes: want one file", errZip, maxDirectory)
	}
	return l.in.ReadAt(p, at)
}

// errZip is the class of faults of an archive that name their remedy.
var errZip = errors.New("zip")

// unzip returns the only file of an archive. Hidden files, and the resource forks that
// macOS adds, do not count.
func unzip(file io.Reader) (io.Reader, error) {
	f, ok := file.(randomAccess)
	if !ok {
		return nil, fmt.Errorf("a %w is read from a file alone, because its list of files is at its end: pack the file with gzip, zstd or bzip2", errZip)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	directory := &limitedAt{in: f, left: maxDirectory}
	archive, err := zip.NewReader(directory, size)
	if err != nil {
		return nil, err
	}
	directory.left = math.MaxInt64 // Source limits the bytes of the file
	var found []*zip.File
	for _, e := range archive.File {
		hidden := strings.HasPrefix(path.Base(e.Name), ".") || strings.HasPrefix(e.Name, "__MACOSX/")
		if !hidden && e.Mode().IsRegular() {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("a %w of %d files: want one file: unpack it, and name a folder or files with wildcards", errZip, len(found))
	}
	return found[0].Open()
}

// packedError wraps faults of the packed bytes in job.ErrInvalid. It returns an error of
// reading them (below) unchanged.
func packedError(kind string, err, below error) error {
	switch {
	case err == nil || errors.Is(err, job.ErrInvalid):
		return err
	case below != nil && !errors.Is(below, io.EOF):
		return below
	case errors.Is(err, errTrailing), errors.Is(err, errZip):
		return fmt.Errorf("%w: %w", err, job.ErrInvalid)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("truncated %s: %w", kind, job.ErrInvalid)
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("a zstd with a window of over %d bytes: pack it again without --ultra and --long: %w", maxWindow, job.ErrInvalid)
	default:
		return fmt.Errorf("corrupt %s: %w: %w", kind, err, job.ErrInvalid)
	}
}
