package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/job"
)

// Append is like the function Append, with v in the format. It sets the encoding of h. It
// fails with job.ErrInvalid if v is not rounded to the format.
func (f Format) Append(dst []byte, h Header, v []float32) ([]byte, uint64, error) {
	h.Encoding = f.Encoding
	start := len(dst)
	dst, err := f.appendPayload(appendHead(dst, h, len(v)), v)
	if err != nil {
		return nil, 0, err
	}
	sum := xxhash.Sum64(dst[start:])
	return binary.LittleEndian.AppendUint64(dst, sum), sum, nil
}

// AppendSeal is like the function AppendSeal, for a payload of n floats that Format.Payload
// has made.
func (f Format) AppendSeal(dst []byte, h Header, n int, payload []byte) ([]byte, uint64) {
	h.Encoding = f.Encoding
	start := len(dst)
	dst = appendHead(dst, h, n)
	sum := sealed(dst[start:], payload)
	return binary.LittleEndian.AppendUint64(dst, sum), sum
}

// DecodeInto is like the function DecodeInto, for vectors in the format.
func (f Format) DecodeInto(dst []float32, data []byte, kind Kind) (Header, uint64, error) {
	h, n, payload, sum, err := Open(data)
	if err == nil {
		err = f.read(dst, h, kind, n, payload)
	}
	return h, sum, err
}

// OpenSeal checks that a seal of the kind belongs to a payload, and reads the payload into
// dst. It returns the header and the checksum of the vector. It fails with job.ErrCorrupt
// if they do not belong together or the payload is not in the format.
func (f Format) OpenSeal(dst []float32, seal []byte, kind Kind, payload []byte) (Header, uint64, error) {
	h, n, sum, err := ReadSeal(seal, kind)
	if err != nil {
		return h, 0, err
	}
	if got := sealed(seal[:len(seal)-sumSize], payload); got != sum {
		return h, 0, fmt.Errorf("vector has checksum %016x, its bytes %016x: %w", sum, got, job.ErrCorrupt)
	}
	return h, sum, f.read(dst, h, kind, n, payload)
}

// read reads the payload of n floats after h. The caller has checked the checksum.
func (f Format) read(dst []float32, h Header, kind Kind, n uint64, payload []byte) error {
	switch {
	case h.Kind != kind:
		return fmt.Errorf("vector is of kind %q, %q expected: %w", h.Kind, kind, job.ErrCorrupt)
	case h.Encoding != f.Encoding:
		return fmt.Errorf("vector has encoding %d, %d expected: %w", h.Encoding, f.Encoding, job.ErrCorrupt)
	case n != uint64(len(dst)):
		return fmt.Errorf("vector holds %d floats, %d expected: %w", n, len(dst), job.ErrCorrupt)
	}
	return f.ReadPayload(dst, payload)
}

// HoldsSeal checks that a seal of the kind belongs to a payload, without reading the
// payload's floats. It fails with job.ErrCorrupt if not.
func HoldsSeal(seal []byte, kind Kind, payload []byte) error {
	_, _, sum, err := ReadSeal(seal, kind)
	if err != nil {
		return err
	}
	if got := sealed(seal[:len(seal)-sumSize], payload); got != sum {
		return fmt.Errorf("vector has checksum %016x, its bytes %016x: %w", sum, got, job.ErrCorrupt)
	}
	return nil
}
