package spec

import (
	"fmt"
	"io"
	"os"
)

// Read returns a spec's text from a file, or from standard input if path is "-". If the
// text is too long, Read returns only enough of it for Decode to report that.
func Read(path string) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read spec: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read spec: %w", err)
	}
	return data, nil
}
