package ledger

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// EncodeRoot appends to dst the log's entry for one chunk of step's root gradient [P]. It
// returns dst and the entry's checksum. before is the link that the entry holds. The entry
// does not name the job or its run: equal histories have equal bytes. EncodeRoot fails with
// job.ErrInvalid when the root is not rounded to the layout's wire.
func (l Layout) EncodeRoot(dst []byte, step int64, chunk int, root []float32, s Sums, before Link) ([]byte, uint64, error) {
	lo, hi := l.Chunk(chunk)
	return l.Wire.Append(dst, RootHeader(step, chunk, s, before), root[lo:hi])
}

// Next returns the link of a chunk after step, whose root gradient is root [P]; before is
// the link before step.
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

// RootHeader returns the header of a log entry for one chunk of step's root.
func RootHeader(step int64, chunk int, s Sums, before Link) wire.Header {
	return wire.Header{
		Kind: wire.Root, A: uint64(step), B: uint64(tree.Root), C: uint64(chunk),
		Examples: s.Examples, Loss: s.Loss, Chain: before,
	}
}

// CheckRoot checks the header of a log entry. It fails with job.ErrCorrupt when the entry
// is for another step or chunk, or does not hold the link before.
func CheckRoot(h wire.Header, step int64, chunk int, before Link) error {
	if h.A != uint64(step) || h.B != uint64(tree.Root) || h.C != uint64(chunk) {
		return fmt.Errorf("the entry is node %d of step %d, chunk %d: %w", h.B, h.A, h.C, job.ErrCorrupt)
	}
	if h.Chain != before {
		return Forked(h.Chain, before)
	}
	return nil
}

// DecodeRoot reads a log entry into its chunk's place in dst [P]. It returns the entry's
// sums and checksum. It fails with job.ErrCorrupt when the entry is damaged, is for another
// step or chunk, or does not hold the link before.
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

// EncodeResidual returns the stored form of one chunk of the residual [P] after step: a
// wire.Residual in the format of partials. after is the link after step, which the header
// holds. It fails with job.ErrInvalid when the residual is not rounded to that format.
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

// DecodeResidual reads the output of EncodeResidual into its chunk's place in dst [P]. It
// fails with job.ErrCorrupt when kept is damaged, or is for another step, chunk or history.
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

// Differs returns an error that says how the entry in the log differs from the entry that
// the caller wanted to write in its place.
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

// DiffersFrom does the same as Differs, for the headers of the two entries.
func DiffersFrom(logged, entry wire.Header) error {
	if logged.Chain != entry.Chain {
		return Forked(logged.Chain, entry.Chain)
	}
	return fmt.Errorf("the log has other bytes for it: %w", job.ErrCorrupt)
}

// ErrResidual refuses a residual that differs from the stored one.
var ErrResidual = fmt.Errorf("the stored residual has other bytes: %w", job.ErrCorrupt)

// Forked returns the error for two histories where there should be one: the log's entry
// holds logged, but the caller's history is at held.
func Forked(logged, held Link) error {
	return fmt.Errorf("the log's entry follows %s, but the history known here is at %s: the log was forked, rolled back or written by another job: %w",
		logged, held, job.ErrCorrupt)
}
