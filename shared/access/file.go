package access

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"

	"tributary/shared/job"
)

// File is the path of a file with credentials or certificates. People sometimes put the
// content there by mistake, so File shows only what looks like a path.
type File string

// Path returns the path, for the library that opens it.
func (f File) Path() string { return string(f) }

// longestName is the longest path without a folder that is shown; tokens are longer.
const longestName = 64

// String returns the path, or "(hidden)" if it does not look like a path.
func (f File) String() string {
	s := string(f)
	switch {
	case strings.Contains(s, "-----"), strings.ContainsFunc(s, unicode.IsControl):
		return hidden
	case s == "", strings.HasPrefix(s, "/"), strings.HasPrefix(s, "."), strings.HasPrefix(s, "~"):
		return s
	case len(s) <= longestName && strings.ContainsAny(s, "./"):
		return s
	default:
		return hidden
	}
}

// GoString implements fmt.GoStringer.
func (f File) GoString() string { return `"` + f.String() + `"` }

// MarshalText implements encoding.TextMarshaler.
func (f File) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// maxFile bounds the size of a file with credentials or certificates, in bytes.
const maxFile = 4 << 20

// Read returns the content of the file, at most 4 MiB. what is the file's name in errors.
// Errors are job.ErrInvalid and do not contain the content.
func (f File) Read(what string) ([]byte, error) {
	data, err := f.read()
	if err == nil {
		return data, nil
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	if f.String() == hidden {
		return nil, fmt.Errorf("%s: want the path of a file; the value is not one, and is hidden because it may be a secret: %w: %w", what, err, job.ErrInvalid)
	}
	return nil, fmt.Errorf("%s %s: %w: %w", what, f, err, job.ErrInvalid)
}

func (f File) read() ([]byte, error) {
	info, err := os.Stat(string(f))
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a folder")
	}
	file, err := os.Open(string(f))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if len(data) > maxFile {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	return data, err
}
