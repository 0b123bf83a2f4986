package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"tributary/shared/job"
)

// ReadAll reads a source whole, at most limit bytes of it.
func ReadAll(ctx context.Context, sources Opener, source string, limit int64) ([]byte, error) {
	r, err := sources.Open(ctx, source)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes: %w", source, limit, job.ErrInvalid)
	}
	return buf.Bytes(), nil
}
