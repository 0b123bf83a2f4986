package metric

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/job"
)

// Layout of encoded sums, version 1, little-endian, floats by their bits:
//
//	0  magic "TRM", version             4 bytes
//	4  rows, correct                    2 × int64
//	20 loss, squared, abs               3 × float64
//	44 outputs, scores                  2 × uint32
//	52 per output: n int64, mean, m2    24 bytes each
//	…  scores                           float32 each
//	…  classes                          a byte each, 0 or 1
//	…  xxHash64 of all before           uint64
const (
	sumsVersion = 1
	sumsHeader  = 52
	spreadSize  = 24
	scoreSize   = 5
)

// Encode returns the sums' bytes; [DecodeSums] reads them back to the bit.
func (s *Sums) Encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, sumsHeader+spreadSize*len(s.spread)+scoreSize*len(s.scores)+8)
	b = append(b, 'T', 'R', 'M', sumsVersion)
	b = le.AppendUint64(b, uint64(s.rows))
	b = le.AppendUint64(b, uint64(s.correct))
	for _, v := range [...]float64{s.loss, s.squared, s.abs} {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	b = le.AppendUint32(b, uint32(len(s.spread)))
	b = le.AppendUint32(b, uint32(len(s.scores)))
	for _, p := range s.spread {
		b = le.AppendUint64(b, uint64(p.n))
		b = le.AppendUint64(b, math.Float64bits(p.mean))
		b = le.AppendUint64(b, math.Float64bits(p.m2))
	}
	for _, v := range s.scores {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	for _, second := range s.second {
		class := byte(0)
		if second {
			class = 1
		}
		b = append(b, class)
	}
	return le.AppendUint64(b, xxhash.Sum64(b))
}

// DecodeSums reads the bytes that Encode made. For any other bytes it returns an error that
// wraps job.ErrCorrupt.
func DecodeSums(data []byte) (*Sums, error) {
	body, err := checkSums(data)
	if err != nil {
		return nil, fmt.Errorf("metric sums: %w: %w", err, job.ErrCorrupt)
	}
	s := &Sums{
		rows: int64(body.uint64()), correct: int64(body.uint64()),
		loss: body.float64(), squared: body.float64(), abs: body.float64(),
	}
	outputs, scores := body.uint32(), body.uint32()
	for range outputs {
		s.spread = append(s.spread, spread{n: int64(body.uint64()), mean: body.float64(), m2: body.float64()})
	}
	for range scores {
		s.scores = append(s.scores, math.Float32frombits(body.uint32()))
	}
	for _, class := range body {
		if class > 1 {
			return nil, fmt.Errorf("metric sums: class %d: want 0 or 1: %w", class, job.ErrCorrupt)
		}
		s.second = append(s.second, class == 1)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// checkSums checks magic, version, sizes and checksum. It returns data without the magic,
// the version and the checksum.
func checkSums(data []byte) (reader, error) {
	if len(data) < sumsHeader+8 {
		return nil, fmt.Errorf("%d bytes: want at least %d", len(data), sumsHeader+8)
	}
	if string(data[:3]) != "TRM" {
		return nil, fmt.Errorf("begin with %q, not \"TRM\"", data[:3])
	}
	if data[3] != sumsVersion {
		return nil, fmt.Errorf("version %d; this program reads version %d", data[3], sumsVersion)
	}
	body, le := data[:len(data)-8], binary.LittleEndian
	if want, got := le.Uint64(data[len(body):]), xxhash.Sum64(body); got != want {
		return nil, fmt.Errorf("checksum %016x, of the bytes %016x", want, got)
	}
	outputs, scores := uint64(le.Uint32(data[44:])), uint64(le.Uint32(data[48:]))
	if want := sumsHeader + spreadSize*outputs + scoreSize*scores; uint64(len(body)) != want {
		return nil, fmt.Errorf("%d outputs and %d scores in %d bytes: want %d", outputs, scores, len(body), want)
	}
	return reader(body[4:]), nil
}

// check fails with job.ErrCorrupt if the counts contradict each other.
func (s *Sums) check() error {
	if s.rows < 0 || s.correct < 0 || s.correct > s.rows {
		return fmt.Errorf("metric sums: %d of %d rows correct: %w", s.correct, s.rows, job.ErrCorrupt)
	}
	for i, p := range s.spread {
		if p.n != s.rows {
			return fmt.Errorf("metric sums: output %d of %d rows: want %d: %w", i, p.n, s.rows, job.ErrCorrupt)
		}
	}
	if n := int64(len(s.scores)); n != 0 && n != s.rows {
		return fmt.Errorf("metric sums: %d scores for %d rows: %w", n, s.rows, job.ErrCorrupt)
	}
	return nil
}

// reader reads numbers from the front of bytes. The caller has checked that there are
// enough.
type reader []byte

func (r *reader) uint64() uint64 {
	v := binary.LittleEndian.Uint64(*r)
	*r = (*r)[8:]
	return v
}

func (r *reader) uint32() uint32 {
	v := binary.LittleEndian.Uint32(*r)
	*r = (*r)[4:]
	return v
}

func (r *reader) float64() float64 { return math.Float64frombits(r.uint64()) }
