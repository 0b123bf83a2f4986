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

// bodySize is the bytes of the tensors' elements.
func bodySize(tensors []model.Tensor) int64 {
	n := int64(0)
	for _, t := range tensors {
		n += 4 * int64(t.Len)
	}
	return n
}

// CheckSize refuses, as job.ErrInvalid, a file that cannot be a safetensors file of the
// given tensors by its size: what they take, and a header of at most 16 MiB.
func CheckSize(size int64, tensors []model.Tensor) error {
	body := bodySize(tensors)
	if size < 8+body || size > 8+maxHeader+body {
		return malformed("the file has %d bytes; the model's %d parameters take %d, so want at least 8 more, and at most %d more for the header", size, body/4, body, 8+maxHeader)
	}
	return nil
}

// ReadFile reads a safetensors file that has exactly the given tensors, in any order, and
// returns its bytes. It checks the header before it reads or makes room for the rest,
// so a file that is not of the model costs no more than a header. It fails with
// job.ErrInvalid as [LoadWeights] does; an error of r keeps its own class.
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

// readPart is how much is read of tensors at a time.
const readPart = 1 << 20

// readFinite reads the elements of the entries, which cover them, and refuses one that
// is not finite.
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

// short explains the end of a file before its time; other errors pass.
func short(where string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("the file ends in %s", where)
	}
	return err
}
