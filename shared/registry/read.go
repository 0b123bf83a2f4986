package registry

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/wire"
)

// maxModelHeader limits the header of a model's own weights, in bytes.
const maxModelHeader = 1 << 20

// Files calls read with a file of a model and its size in bytes. If the file could not be
// read to its end, Files may call read again from the beginning of the file. It fails with
// job.ErrNotFound if there is no file of this name.
type Files func(name string, read func(r io.Reader, size int64) error) error

// Read reads a model from an untrusted source. It knows how much memory the model takes
// before it allocates it. It reads and checks the card. Then it calls admit with the bytes
// that the model takes in memory; nil admits every model. Then it refuses weights whose
// size does not fit the card's parameters, and reads the weights. Beside the model, it
// needs memory for the text of the card, at most 64 MiB, and 1 MiB.
//
// It fails with job.ErrNotFound if a file is missing, and with job.ErrCorrupt if the
// weights do not match the card. It fails with job.ErrInvalid if this program cannot read
// the format of a file. It returns an error of admit unchanged.
func Read(files Files, admit func(bytes int64) error) (*Model, error) {
	m := new(Model)
	err := files(CardFile, func(r io.Reader, size int64) (err error) {
		m.Card, m.bytes, err = readCard(r, size)
		return err
	})
	if err == nil {
		err = m.checkCard()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", CardFile, err)
	}
	m.bytes += 4 * int64(m.Network.Params()+m.Network.Frozen())
	if admit != nil {
		if err := admit(m.bytes); err != nil {
			return nil, err
		}
	}
	err = files(WeightsFile, m.readParams)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", WeightsFile, err)
	}
	for _, w := range []struct {
		what      string
		got, want job.Digest
	}{{"parameters", ParametersDigest(m.Weights.Trained), m.Card.ParametersSHA256}, {"frozen parameters", frozenDigest(m.Weights), m.Card.FrozenSHA256}} {
		if w.got != w.want {
			return nil, fmt.Errorf("%s has %s %s; %s names %.80q: %w", WeightsFile, w.what, w.got, CardFile, string(w.want), job.ErrCorrupt)
		}
	}
	if err := m.readProfile(files); err != nil {
		return nil, err
	}
	return m, nil
}

// Bytes estimates the memory, in bytes, of a model that Read has returned.
func (m *Model) Bytes() int64 { return m.bytes }

// checkCard makes the network, and checks that the card does not contradict itself.
func (m *Model) checkCard() error {
	if err := m.compile(); err != nil {
		return err
	}
	if got := [2]int{m.Network.Features(), m.Network.Outputs()}; got != [2]int{m.Card.Features, m.Card.Outputs} {
		return fmt.Errorf("%d features and %d outputs; its spec and preprocessing have %d and %d: %w",
			m.Card.Features, m.Card.Outputs, got[0], got[1], job.ErrCorrupt)
	}
	return nil
}

// readParams reads a weights file of size bytes.
func (m *Model) readParams(r io.Reader, size int64) error {
	n := int64(m.Network.Params() + m.Network.Frozen())
	if size < 8+4*n {
		return fmt.Errorf("%d bytes are too few for %d parameters: %w", size, n, job.ErrCorrupt)
	}
	if size > 8+4*n+maxModelHeader {
		return fmt.Errorf("%d bytes are too many for %d parameters and a header of at most %d bytes: %w", size, n, maxModelHeader, job.ErrCorrupt)
	}
	if m.Weights.Trained == nil {
		m.Weights = m.Network.NewWeights()
	}
	return ReadWeights(r, size, m.Network.Tensors(), m.Weights)
}

// ReadWeights reads a safetensors file of size bytes as LoadWeights does. It keeps little
// more than the header and dst in memory. It returns an error of r unchanged.
func ReadWeights(r io.Reader, size int64, tensors []model.Tensor, dst model.Weights) error {
	for _, t := range tensors {
		if !dst.Has(t) {
			return fmt.Errorf("tensor %s: elements %d to %d of %d parameters and %d frozen ones: %w", t.Name, t.Offset, t.Offset+t.Len, len(dst.Trained), len(dst.Frozen), job.ErrInvalid)
		}
	}
	header, err := readHeader(r, size)
	if err != nil {
		return err
	}
	entries, err := parseHeader(header)
	if err != nil {
		return err
	}
	if err := cover(entries, uint64(size-8)-uint64(len(header))); err != nil {
		return err
	}
	if err := match(entries, tensors); err != nil {
		return err
	}
	inFile := slices.SortedStableFunc(slices.Values(tensors), func(a, b model.Tensor) int {
		return cmp.Compare(entries[a.Name].Offsets[0], entries[b.Name].Offsets[0])
	})
	var f faults
	buf := make([]byte, 64<<10)
	for _, t := range inFile {
		part := dst.Of(t)
		for at := 0; at < len(part); {
			piece := part[at:min(at+len(buf)/4, len(part))]
			if _, err := io.ReadFull(r, buf[:4*len(piece)]); err != nil {
				return fmt.Errorf("tensor %s: %w", t.Name, err)
			}
			wire.Floats(piece, buf[:4*len(piece)])
			at += len(piece)
		}
		if i := slices.IndexFunc(part, notFinite); i >= 0 {
			f.add("tensor %s: element %d is %v", t.Name, i, part[i])
		}
		t.FromFile(part)
	}
	return f.join()
}

// readHeader reads the header of a safetensors file of size bytes.
func readHeader(r io.Reader, size int64) ([]byte, error) {
	if size < 8 {
		return nil, malformed("%d bytes: shorter than the 8 of the header's length", size)
	}
	var length [8]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return nil, malformed("header of %d bytes: at most %d are read", n, maxHeader)
	}
	if n > uint64(size-8) {
		return nil, malformed("header of %d bytes in a file of %d", n, size)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return header, nil
}

// match checks that the entries of a file are exactly the tensors.
func match(entries map[string]entry, tensors []model.Tensor) error {
	var f faults
	others := maps.Clone(entries)
	for _, t := range tensors {
		e, ok := others[t.Name]
		delete(others, t.Name)
		switch {
		case !ok:
			f.add("tensor %s %v is missing", t.Name, t.Shape)
		case !slices.Equal(e.Shape, t.Shape):
			f.add("tensor %s has shape %v; the model's is %v", t.Name, e.Shape, t.Shape)
		case uint64(4*t.Len) != e.Offsets[1]-e.Offsets[0]:
			f.add("tensor %s has %d elements; the model's has %d", t.Name, (e.Offsets[1]-e.Offsets[0])/4, t.Len)
		}
	}
	if len(others) > 0 {
		names := slices.Sorted(maps.Keys(others))
		more := ""
		if len(names) > maxFaults {
			more = fmt.Sprintf(" and %d more", len(names)-maxFaults)
			names = names[:maxFaults]
		}
		f.add("the model has no tensor %.400q%s", strings.Join(names, ", "), more)
	}
	return f.join()
}

// faults collects the faults of a file.
type faults []error

func (f *faults) add(format string, args ...any) {
	*f = append(*f, fmt.Errorf(format+": %w", append(args, job.ErrInvalid)...))
}

// join returns the first maxFaults faults as one error, or nil if there is none.
func (f *faults) join() error {
	if len(*f) > maxFaults {
		return errors.Join(append((*f)[:maxFaults:maxFaults], fmt.Errorf("and %d more faults", len(*f)-maxFaults))...)
	}
	return errors.Join(*f...)
}
