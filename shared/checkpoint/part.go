package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/wire"
)

// Sizes of a part: about 4 MiB each.
const (
	partLen   = 1 << 20 // floats of a vector
	lossesLen = 1 << 18 // steps, of 16 bytes each
	marksLen  = 1 << 19 // steps, of 8 bytes each
	unitBytes = 4 << 20 // of evaluations
)

// place says where a part belongs. It is the header before the part's content,
// little-endian, so that no part is ever taken for another:
//
//	0  magic "TRC", kind: 'v' vector, 'l' losses, 'm' marks, 'e' evaluations
//	4  version             uint32
//	8  step                uint64
//	16 vector              uint32
//	20 number of the part  uint32
//	24 length of job.run   uint32
//	28 job.run
//
// The content of a vector's part is float32s. Losses have (examples int64, loss float64)
// for each step, marks 8 bytes for each step. Evaluations are a JSON object of base64.
type place struct {
	job.Ref
	kind   byte
	step   int64
	vector int
	number int
}

func (p place) String() string {
	return fmt.Sprintf("part %c%d.%d of checkpoint %d of %s", p.kind, p.vector, p.number, p.step, p.Ref)
}

// header appends the part's header to dst.
func (p place) header(dst []byte) []byte {
	ref := p.Ref.String()
	dst = append(dst, 'T', 'R', 'C', p.kind)
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(p.step))
	for _, n := range []int{p.vector, p.number, len(ref)} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	return append(dst, ref...)
}

// content checks that data has the header p, and returns what follows it.
func (p place) content(data []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(data, p.header(nil))
	if !ok {
		return nil, fmt.Errorf("%s: the header is that of another part: %w", p, job.ErrCorrupt)
	}
	return rest, nil
}

// part is one part of a checkpoint, which can be encoded any number of times.
type part struct {
	place
	content func(dst []byte) ([]byte, error) // appends the content to dst
}

func (p part) encode(dst []byte) ([]byte, error) { return p.content(p.header(dst)) }

// split splits a state into parts, in the order of the manifest.
func split(s *State) (vectors [][]part, losses, marks, evaluations []part) {
	at := func(kind byte, vector, number int) place {
		return place{Ref: s.Ref, kind: kind, step: s.Snapshot.Step, vector: vector, number: number}
	}
	for i, v := range s.Snapshot.Vectors {
		var parts []part
		for floats := range slices.Chunk(v, partLen) {
			parts = append(parts, part{at('v', i, len(parts)), func(dst []byte) ([]byte, error) {
				return wire.AppendFloats(dst, floats), nil
			}})
		}
		vectors = append(vectors, parts)
	}
	for sums := range slices.Chunk(s.Losses, lossesLen) {
		losses = append(losses, part{at('l', 0, len(losses)), func(dst []byte) ([]byte, error) {
			return appendLosses(dst, sums), nil
		}})
	}
	for page := range slices.Chunk(s.Marks, marksLen) {
		marks = append(marks, part{at('m', 0, len(marks)), func(dst []byte) ([]byte, error) {
			return history.AppendMarks(dst, page), nil
		}})
	}
	for _, units := range group(s.Evaluations) {
		evaluations = append(evaluations, part{at('e', 0, len(evaluations)), func(dst []byte) ([]byte, error) {
			text, err := json.Marshal(units)
			return append(dst, text...), err
		}})
	}
	return vectors, losses, marks, evaluations
}

// group groups evaluations into parts, in the order of their names.
func group(all map[string][]byte) []map[string][]byte {
	var groups []map[string][]byte
	size := unitBytes
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if size += len(name) + len(all[name]); size > unitBytes {
			groups, size = append(groups, map[string][]byte{}), len(name)+len(all[name])
		}
		groups[len(groups)-1][name] = all[name]
	}
	return groups
}

const lossBytes = 16 // of a step

func appendLosses(dst []byte, sums []ledger.Sums) []byte {
	for _, s := range sums {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(s.Examples))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.Loss))
	}
	return dst
}

// decodeLosses appends to dst the losses in a part's content.
func decodeLosses(dst []ledger.Sums, content []byte) ([]ledger.Sums, error) {
	if len(content)%lossBytes != 0 {
		return nil, fmt.Errorf("losses of %d bytes: want %d for each step: %w", len(content), lossBytes, job.ErrCorrupt)
	}
	for e := range slices.Chunk(content, lossBytes) {
		dst = append(dst, ledger.Sums{
			Examples: int64(binary.LittleEndian.Uint64(e)),
			Loss:     math.Float64frombits(binary.LittleEndian.Uint64(e[8:])),
		})
	}
	return dst, nil
}
