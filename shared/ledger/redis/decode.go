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

// same checks that a stored header names the vector that was requested. The sums and the
// link may be any; the reader of the floats checks the encoding.
func same(got, want wire.Header) error {
	got.Examples, got.Loss, got.Chain, got.Encoding = want.Examples, want.Loss, want.Chain, want.Encoding
	if got != want {
		return fmt.Errorf("stored vector is %q %d/%d/%d, not %q %d/%d/%d: %w",
			got.Kind, got.A, got.B, got.C, want.Kind, want.A, want.B, want.C, job.ErrCorrupt)
	}
	return nil
}

// agreedSums are the sums that every chunk of one vector must hold.
type agreedSums struct {
	ledger.Sums
	seen bool
}

// agree reports sums that differ from those of the chunks before.
func (s *agreedSums) agree(got ledger.Sums) error {
	if s.seen && (got.Examples != s.Examples || math.Float64bits(got.Loss) != math.Float64bits(s.Loss)) {
		return fmt.Errorf("sums are %v, those of the chunks before %v: %w", got, s.Sums, job.ErrCorrupt)
	}
	s.Sums, s.seen = got, true
	return nil
}

// decode checks a stored chunk, whose floats are already in their place: the seal must
// match the floats, check must accept the header, and the sums must equal those of the
// chunks before. It returns the checksum of the whole chunk. It fails with job.ErrNotFound
// when the floats or the seal are not stored.
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

// bytesOf returns the bytes of s without a copy. Nobody may write to them.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// count parses a non-negative number that a script stored; a missing value is 0.
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

// only returns the value of a command that reads one field, or nil when there is none.
func only(cmd *goredis.SliceCmd) any {
	if values := cmd.Val(); len(values) == 1 {
		return values[0]
	}
	return nil
}
