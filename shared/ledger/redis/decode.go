package redis

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

func partialHeader(step int64, node tree.Node, chunk int, s ledger.Sums) wire.Header {
	return wire.Header{Kind: wire.Partial, A: uint64(step), B: uint64(node), C: uint64(chunk), Examples: s.Examples, Loss: s.Loss}
}

func rootHeader(step int64, chunk int, s ledger.Sums) wire.Header {
	return wire.Header{Kind: wire.Root, A: uint64(step), B: uint64(tree.Root), C: uint64(chunk), Examples: s.Examples, Loss: s.Loss}
}

func snapshotHeader(step int64, vectors, chunk int) wire.Header {
	return wire.Header{Kind: wire.Snapshot, A: uint64(step), B: uint64(vectors), C: uint64(chunk)}
}

// hex is how a checksum is written in a partials hash.
func hex(sum uint64) string { return fmt.Sprintf("%016x", sum) }

// same reports that a stored header names the thing that was asked for; the
// sums are the stored vector's own.
func same(got, want wire.Header) error {
	got.Examples, got.Loss, want.Examples, want.Loss = 0, 0, 0, 0
	if got != want {
		return fmt.Errorf("stored vector is %q %d/%d/%d, not %q %d/%d/%d: %w",
			got.Kind, got.A, got.B, got.C, want.Kind, want.A, want.B, want.C, job.ErrCorrupt)
	}
	return nil
}

// agreedSums are the sums that every chunk of one vector must carry.
type agreedSums struct {
	ledger.Sums
	seen bool
}

// decode reads a stored chunk of a vector into its place in dst [P] and checks
// that it is what want names, that it has the checksum recorded for it (when
// digest is not nil), and that its sums are those of the chunks before. It
// fails with job.ErrNotFound when the chunk or its checksum is not stored.
func (s *agreedSums) decode(l ledger.Layout, chunk int, want wire.Header, data, digest *goredis.StringCmd, dst []float32) error {
	bytes, err := data.Bytes()
	if err == nil && digest != nil {
		err = digest.Err()
	}
	switch {
	case errors.Is(err, goredis.Nil):
		return job.ErrNotFound
	case err != nil:
		return err
	}
	lo, hi := l.Chunk(chunk)
	h, sum, err := wire.DecodeInto(dst[lo:hi], bytes, want.Kind)
	if err == nil {
		err = same(h, want)
	}
	if err != nil {
		return err
	}
	if digest != nil && digest.Val() != hex(sum) {
		return fmt.Errorf("stored with checksum %016x, arrived with %.16s: %w", sum, digest.Val(), job.ErrCorrupt)
	}
	got := ledger.Sums{Examples: h.Examples, Loss: h.Loss}
	if s.seen && (got.Examples != s.Examples || math.Float64bits(got.Loss) != math.Float64bits(s.Loss)) {
		return fmt.Errorf("sums are %v, those of the chunks before %v: %w", got, s.Sums, job.ErrCorrupt)
	}
	s.Sums, s.seen = got, true
	return nil
}

// count reads a non-negative number kept by a script; nothing stored is 0.
func count(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("stored count is %.40q, not a number: %w", fmt.Sprint(v), job.ErrCorrupt)
}
