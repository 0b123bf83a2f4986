package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"tributary/shared/job"
	"tributary/shared/model"
)

// bodySize returns the bytes of the elements of the tensors.
func bodySize(tensors []model.Tensor) int64 {
	n := int64(0)
	for _, t := range tensors {
		n += 4 * int64(t.Len)
	}
	return n
}

// CheckSize fails with job.ErrInvalid if a safetensors file of the given tensors cannot
// have this size. The possible size is the size of the tensors, plus a header of at most 16
// MiB.
func CheckSize(size int64, tensors []model.Tensor) error {
	body := bodySize(tensors)
	if size < 8+body || size > 8+maxHeader+body {
		return malformed("the file has %d bytes; the model's %d parameters take %d, so want at least 8 more, and at most %d more for the header", size, body/4, body, 8+maxHeader)
	}
	return nil
}

// ReadFile reads a safetensors file that has exactly the given tensors, in any order, and
// returns its bytes. It checks the header before it allocates memory for the rest and reads
// it. A file that is not of the model therefore costs only its header. ReadFile fails with
// job.ErrInvalid in the same cases as [LoadWeights]. An error of r keeps its own class.
func ReadFile(r io.Reader, tensors []model.Tensor) ([]byte, error) {
	var length [8]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, short("the header's length", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return nil, malformed("header of %d bytes: at most %d are read", n, maxHeader)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, short("the header", err)
	}
	entries, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	body := bodySize(tensors)
	if err := errors.Join(match(entries, tensors), cover(entries, uint64(body))); err != nil {
		return nil, err
	}
	data := make([]byte, 8+int(n)+int(body))
	copy(data, length[:])
	elements := data[8+copy(data[8:], header):]
	if err := readFinite(r, elements, entries); err != nil {
		return nil, err
	}
	switch _, err := io.ReadFull(r, length[:1]); {
	case err == nil:
		return nil, malformed("there are bytes after the last tensor")
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return data, nil
}

// readPart is the number of bytes of tensors that are read at a time.
const readPart = 1 << 20

// readFinite reads the elements of the entries and fails with job.ErrInvalid if one is not
// finite. The entries must cover the elements.
func readFinite(r io.Reader, elements []byte, entries map[string]entry) error {
	for at := 0; at < len(elements); at += readPart {
		part := elements[at:min(at+readPart, len(elements))]
		if _, err := io.ReadFull(r, part); err != nil {
			return short("the tensors", err)
		}
		for i := 0; i < len(part); i += 4 {
			bits := binary.LittleEndian.Uint32(part[i:])
			if bits&0x7f800000 != 0x7f800000 {
				continue
			}
			for name, e := range entries {
				if place := uint64(at + i); e.Offsets[0] <= place && place < e.Offsets[1] {
					return fmt.Errorf("tensor %.80s: element %d is %v: %w", name, (place-e.Offsets[0])/4, math.Float32frombits(bits), job.ErrInvalid)
				}
			}
		}
	}
	return nil
}

// short replaces an unexpected end of the file by an error that says where it ends. It
// returns other errors unchanged.
func short(where string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("the file ends in %s", where)
	}
	return err
}
