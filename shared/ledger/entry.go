package ledger

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// EncodeRoot appends to dst the log's entry for a chunk of step's root gradient
// [P] and returns it with its checksum; before is the link that it carries. It
// says nothing of the job or its run: equal histories have equal bytes.
func (l Layout) EncodeRoot(dst []byte, step int64, chunk int, root []float32, s Sums, before Link) ([]byte, uint64) {
	lo, hi := l.Chunk(chunk)
	return wire.Append(dst, RootHeader(step, chunk, s, before), root[lo:hi])
}

// RootHeader is the header of such an entry.
func RootHeader(step int64, chunk int, s Sums, before Link) wire.Header {
	return wire.Header{
		Kind: wire.Root, A: uint64(step), B: uint64(tree.Root), C: uint64(chunk),
		Examples: s.Examples, Loss: s.Loss, Chain: before,
	}
}

// CheckRoot reports, as job.ErrCorrupt, the header of an entry that is for
// another step or chunk, or that does not carry the link before.
func CheckRoot(h wire.Header, step int64, chunk int, before Link) error {
	if h.A != uint64(step) || h.B != uint64(tree.Root) || h.C != uint64(chunk) {
		return fmt.Errorf("the entry is node %d of step %d, chunk %d: %w", h.B, h.A, h.C, job.ErrCorrupt)
	}
	if h.Chain != before {
		return forked(h.Chain, before)
	}
	return nil
}

// DecodeRoot reads such an entry into its place in dst [P] and returns its sums
// and its checksum. An entry that is damaged, that is for another step or
// chunk, or that does not carry the link before fails with job.ErrCorrupt.
func (l Layout) DecodeRoot(dst []float32, step int64, chunk int, entry []byte, before Link) (Sums, uint64, error) {
	lo, hi := l.Chunk(chunk)
	h, sum, err := wire.DecodeInto(dst[lo:hi], entry, wire.Root)
	if err != nil {
		return Sums{}, 0, err
	}
	if err := CheckRoot(h, step, chunk, before); err != nil {
		return Sums{}, 0, err
	}
	return Sums{Examples: h.Examples, Loss: h.Loss}, sum, nil
}

// Differs tells how the entry that is in the log differs from one that was to
// be written in its place.
func Differs(logged, entry []byte) error {
	was, _, _, err := wire.Decode(logged)
	if err != nil {
		return fmt.Errorf("the log's entry for it: %w", err)
	}
	want, _, _, err := wire.Decode(entry)
	if err != nil {
		return err
	}
	return DiffersFrom(was, want)
}

// DiffersFrom is Differs for the two entries' headers.
func DiffersFrom(logged, entry wire.Header) error {
	if logged.Chain != entry.Chain {
		return forked(logged.Chain, entry.Chain)
	}
	return fmt.Errorf("the log has other bytes for it: %w", job.ErrCorrupt)
}

// forked names two histories where there should be one.
func forked(logged, held Link) error {
	return fmt.Errorf("the log's entry follows %s, but the history known here is at %s: the log was forked, rolled back or written by another job: %w",
		logged, held, job.ErrCorrupt)
}
