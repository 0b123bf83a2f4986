package redis

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unsafe"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

func partialHeader(step int64, node tree.Node, chunk int, s ledger.Sums) wire.Header {
	return wire.Header{Kind: wire.Partial, A: uint64(step), B: uint64(node), C: uint64(chunk), Examples: s.Examples, Loss: s.Loss}
}

func snapshotHeader(step int64, vectors, chunk int, after ledger.Link) wire.Header {
	return wire.Header{Kind: wire.Snapshot, A: uint64(step), B: uint64(vectors), C: uint64(chunk), Chain: after}
}

// same reports that a stored header names the thing that was asked for; the
// sums and the link are the stored vector's own, and the encoding is checked where the
// floats are read.
func same(got, want wire.Header) error {
	got.Examples, got.Loss, got.Chain, got.Encoding = want.Examples, want.Loss, want.Chain, want.Encoding
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

// agree reports sums that are not those of the chunks before.
func (s *agreedSums) agree(got ledger.Sums) error {
	if s.seen && (got.Examples != s.Examples || math.Float64bits(got.Loss) != math.Float64bits(s.Loss)) {
		return fmt.Errorf("sums are %v, those of the chunks before %v: %w", got, s.Sums, job.ErrCorrupt)
	}
	s.Sums, s.seen = got, true
	return nil
}

// decode checks a stored chunk, whose floats are in their place: that its seal is its
// floats', what check says of the header, and that its sums are those of the chunks
// before. It returns the checksum of the whole. It fails with job.ErrNotFound when the
// floats or the seal are not stored.
func (s *agreedSums) decode(v *vector, seal any, kind wire.Kind, check func(wire.Header) error) (uint64, error) {
	floats, err := v.bytes()
	text, ok := seal.(string)
	if errors.Is(err, goredis.Nil) || err == nil && !ok {
		return 0, job.ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	h, sum, err := v.open(bytesOf(text), kind, floats)
	if err == nil {
		err = check(h)
	}
	if err != nil {
		return 0, err
	}
	return sum, s.agree(ledger.Sums{Examples: h.Examples, Loss: h.Loss})
}

// bytesOf is s as bytes that must not be written to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

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

// only is the value of a command that reads one field, nil when there is none.
func only(cmd *goredis.SliceCmd) any {
	if values := cmd.Val(); len(values) == 1 {
		return values[0]
	}
	return nil
}
