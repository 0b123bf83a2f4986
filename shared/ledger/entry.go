package ledger

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// EncodeRoot appends to dst the log's entry for a chunk of step's root gradient
// [P] and returns it with its checksum; before is the link that it carries. It
// says nothing of the job or its run: equal histories have equal bytes. A root that
// is not rounded to the layout's wire fails with job.ErrInvalid.
func (l Layout) EncodeRoot(dst []byte, step int64, chunk int, root []float32, s Sums, before Link) ([]byte, uint64, error) {
	lo, hi := l.Chunk(chunk)
	return l.Wire.Append(dst, RootHeader(step, chunk, s, before), root[lo:hi])
}

// Next returns the link past step's root gradient [P] in a chunk, after before.
func (l Layout) Next(step int64, chunk int, root []float32, s Sums, before Link) (Link, error) {
	lo, hi := l.Chunk(chunk)
	payload, err := l.Wire.Payload(root[lo:hi])
	if err != nil {
		return Link{}, fmt.Errorf("chunk %d: %w", chunk, err)
	}
	var seal [wire.SealSize]byte
	_, sum := l.Wire.AppendSeal(seal[:0], RootHeader(step, chunk, s, before), hi-lo, payload)
	return before.Next(sum), nil
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
		return Forked(h.Chain, before)
	}
	return nil
}

// DecodeRoot reads such an entry into its place in dst [P] and returns its sums
// and its checksum. An entry that is damaged, that is for another step or
// chunk, or that does not carry the link before fails with job.ErrCorrupt.
func (l Layout) DecodeRoot(dst []float32, step int64, chunk int, entry []byte, before Link) (Sums, uint64, error) {
	lo, hi := l.Chunk(chunk)
	h, sum, err := l.Wire.DecodeInto(dst[lo:hi], entry, wire.Root)
	if err != nil {
		return Sums{}, 0, err
	}
	if err := CheckRoot(h, step, chunk, before); err != nil {
		return Sums{}, 0, err
	}
	return Sums{Examples: h.Examples, Loss: h.Loss}, sum, nil
}

// EncodeResidual returns what is kept of a chunk of the residual [P] after step, which
// the link after comes before: a wire.Residual in the format of partials. A residual
// that is not rounded to that fails with job.ErrInvalid.
func (l Layout) EncodeResidual(step int64, chunk int, residual []float32, after Link) ([]byte, error) {
	lo, hi := l.Chunk(chunk)
	f := l.Wire.Partials()
	b, _, err := f.Append(make([]byte, 0, f.Size(hi-lo)+wire.Overhead), residualHeader(step, chunk, after), residual[lo:hi])
	if err != nil {
		return nil, fmt.Errorf("residual: chunk %d: %w", chunk, err)
	}
	return b, nil
}

func residualHeader(step int64, chunk int, after Link) wire.Header {
	return wire.Header{Kind: wire.Residual, A: uint64(step), B: uint64(tree.Root), C: uint64(chunk), Chain: after}
}

// DecodeResidual reads what EncodeResidual wrote into its place in dst [P]. What is
// damaged, or of another step, chunk or history, fails with job.ErrCorrupt.
func (l Layout) DecodeResidual(dst []float32, step int64, chunk int, kept []byte, after Link) error {
	lo, hi := l.Chunk(chunk)
	h, _, err := l.Wire.Partials().DecodeInto(dst[lo:hi], kept, wire.Residual)
	if err != nil {
		return err
	}
	if h.Chain != after {
		return Forked(h.Chain, after)
	}
	want := residualHeader(step, chunk, after)
	if want.Encoding = h.Encoding; h != want {
		return fmt.Errorf("the residual is of step %d, chunk %d, not of %d, %d: %w", h.A, h.C, want.A, want.C, job.ErrCorrupt)
	}
	return nil
}

// Differs tells how the entry that is in the log differs from one that was to
// be written in its place.
func Differs(logged, entry []byte) error {
	was, _, _, _, err := wire.Open(logged)
	if err != nil {
		return fmt.Errorf("the log's entry for it: %w", err)
	}
	want, _, _, _, err := wire.Open(entry)
	if err != nil {
		return err
	}
	return DiffersFrom(was, want)
}

// DiffersFrom is Differs for the two entries' headers.
func DiffersFrom(logged, entry wire.Header) error {
	if logged.Chain != entry.Chain {
		return Forked(logged.Chain, entry.Chain)
	}
	return fmt.Errorf("the log has other bytes for it: %w", job.ErrCorrupt)
}

// ErrResidual is the refusal of a residual that is not the one that is kept.
var ErrResidual = fmt.Errorf("the residual beside the log has other bytes: %w", job.ErrCorrupt)

// Forked names two histories where there should be one.
func Forked(logged, held Link) error {
	return fmt.Errorf("the log's entry follows %s, but the history known here is at %s: the log was forked, rolled back or written by another job: %w",
		logged, held, job.ErrCorrupt)
}
