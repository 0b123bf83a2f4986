package metric

import (
	"encoding/binary"
	"errors"
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
//
// Version 2 has the extra sums before the checksum. Sums without them are of version 1.
//
//	…  top, zeros                       2 × int64
//	…  brier, relative, logLoss         3 × float64
//	…  counts                           uint32
//	…  per count: class, then right, predicted, actual   uint32, 3 × int64
//
// Version 3 has units and pairs after the counts. Sums without both are of an older version.
//
//	…  units                            int64
//	…  pairs                            uint32
//	…  per pair: actual, predicted, then rows    2 × uint32, int64
//
// Version 4 has 15 bins after the pairs. Sums without them are of an older version.
//
//	…  per bin: rows, right, then confidence     2 × int64, float64
const (
	sumsVersion  = 1
	extraVersion = 2
	pairsVersion = 3
	binsVersion  = 4
	sumsHeader   = 52
	extraHeader  = 44
	countSize    = 28
	spreadSize   = 24
	scoreSize    = 5
	pairsHeader  = 12
	pairSize     = 16
	binsSize     = 24 * calibrationBins
)

// Encode returns the sums' bytes; [DecodeSums] reads them back to the bit.
func (s *Sums) Encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, sumsHeader+spreadSize*len(s.spread)+scoreSize*len(s.scores)+8)
	version := byte(sumsVersion)
	if s.extra != nil {
		version = extraVersion
		if s.extra.paired() {
			version = pairsVersion
		}
		if s.extra.bins != nil {
			version = binsVersion
		}
	}
	b = append(b, 'T', 'R', 'M', version)
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
	if s.extra != nil {
		b = s.extra.append(b)
	}
	return le.AppendUint64(b, xxhash.Sum64(b))
}

// append appends the extra sums to b.
func (e *extra) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, uint64(e.top))
	b = le.AppendUint64(b, uint64(e.zeros))
	for _, v := range [...]float64{e.brier, e.relative, e.logLoss} {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	b = le.AppendUint32(b, uint32(len(e.classes)))
	for _, n := range e.classes {
		b = le.AppendUint32(b, n.class)
		for _, v := range [...]int64{n.right, n.predicted, n.actual} {
			b = le.AppendUint64(b, uint64(v))
		}
	}
	if !e.paired() && e.bins == nil {
		return b
	}
	b = le.AppendUint64(b, uint64(e.units))
	b = le.AppendUint32(b, uint32(len(e.pairs)))
	for _, p := range e.pairs {
		b = le.AppendUint32(b, p.actual)
		b = le.AppendUint32(b, p.predicted)
		b = le.AppendUint64(b, uint64(p.rows))
	}
	for _, n := range e.bins {
		b = le.AppendUint64(b, uint64(n.rows))
		b = le.AppendUint64(b, uint64(n.right))
		b = le.AppendUint64(b, math.Float64bits(n.confidence))
	}
	return b
}

// paired reports whether the sums have units or pairs.
func (e *extra) paired() bool { return e.units != 0 || len(e.pairs) > 0 }

// DecodeSums reads the bytes that Encode made. For any other bytes it returns an error that
// wraps job.ErrCorrupt.
func DecodeSums(data []byte) (*Sums, error) {
	body, version, err := checkSums(data)
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
	for range scores {
		class := body[0]
		if body = body[1:]; class > 1 {
			return nil, fmt.Errorf("metric sums: class %d: want 0 or 1: %w", class, job.ErrCorrupt)
		}
		s.second = append(s.second, class == 1)
	}
	if version >= extraVersion {
		s.extra = body.extra()
	}
	if version >= pairsVersion {
		s.extra.units = int64(body.uint64())
		for range body.uint32() {
			s.extra.pairs = append(s.extra.pairs, pairCount{body.uint32(), body.uint32(), int64(body.uint64())})
		}
		if version == pairsVersion && !s.extra.paired() {
			return nil, fmt.Errorf("metric sums: no units and no pairs in version %d: want version %d: %w", version, extraVersion, job.ErrCorrupt)
		}
	}
	if version == binsVersion {
		for range calibrationBins {
			s.extra.bins = append(s.extra.bins, bin{int64(body.uint64()), int64(body.uint64()), body.float64()})
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// checkSums checks magic, version, sizes and checksum. It returns the version, and data
// without the magic, the version and the checksum.
func checkSums(data []byte) (body reader, version byte, err error) {
	if len(data) < sumsHeader+8 {
		return nil, 0, fmt.Errorf("%d bytes: want at least %d", len(data), sumsHeader+8)
	}
	if string(data[:3]) != "TRM" {
		return nil, 0, fmt.Errorf("begin with %q, not \"TRM\"", data[:3])
	}
	version = data[3]
	if version < sumsVersion || version > binsVersion {
		return nil, 0, fmt.Errorf("version %d; this program reads versions %d to %d", version, sumsVersion, binsVersion)
	}
	whole, le := data[:len(data)-8], binary.LittleEndian
	if want, got := le.Uint64(data[len(whole):]), xxhash.Sum64(whole); got != want {
		return nil, 0, fmt.Errorf("checksum %016x, of the bytes %016x", want, got)
	}
	outputs, scores := uint64(le.Uint32(data[44:])), uint64(le.Uint32(data[48:]))
	counts, pairs := uint64(0), uint64(0)
	want := sumsHeader + spreadSize*outputs + scoreSize*scores
	if version >= extraVersion {
		want += extraHeader
		if want <= uint64(len(whole)) {
			counts = uint64(le.Uint32(data[want-4:]))
			want += countSize * counts
		}
	}
	if version >= pairsVersion {
		want += pairsHeader
		if want <= uint64(len(whole)) {
			pairs = uint64(le.Uint32(data[want-4:]))
			want += pairSize * pairs
		}
	}
	if version == binsVersion {
		want += binsSize
	}
	if uint64(len(whole)) != want {
		return nil, 0, fmt.Errorf("%d outputs, %d scores, %d counts and %d pairs in %d bytes: want %d", outputs, scores, counts, pairs, len(whole), want)
	}
	return reader(whole[4:]), version, nil
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
	if s.extra != nil {
		return s.extra.check(s.rows)
	}
	return nil
}

// check fails with job.ErrCorrupt if the counts contradict each other or the number of rows.
func (e *extra) check(rows int64) error {
	if e.top < 0 || e.top > rows || e.zeros < 0 || e.units < 0 {
		return fmt.Errorf("metric sums: top %d, zeros %d, units %d of %d rows: %w", e.top, e.zeros, e.units, rows, job.ErrCorrupt)
	}
	if err := errors.Join(e.checkPairs(rows), e.checkBins(rows)); err != nil {
		return err
	}
	for i, n := range e.classes {
		if i > 0 && n.class <= e.classes[i-1].class {
			return fmt.Errorf("metric sums: count of class %d after that of class %d: %w", n.class, e.classes[i-1].class, job.ErrCorrupt)
		}
		if n.right < 0 || n.right > min(n.predicted, n.actual) || max(n.predicted, n.actual) > rows || n.predicted+n.actual == 0 {
			return fmt.Errorf("metric sums: class %d: %d right of %d predicted and %d actual, %d rows: %w", n.class, n.right, n.predicted, n.actual, rows, job.ErrCorrupt)
		}
	}
	return nil
}

// checkPairs fails with job.ErrCorrupt if the pairs are not in order or have more rows than
// there are.
func (e *extra) checkPairs(rows int64) error {
	for i, p := range e.pairs {
		if i > 0 && e.pairs[i-1].compare(p) >= 0 {
			return fmt.Errorf("metric sums: pair %d, %d after %d, %d: %w", p.actual, p.predicted, e.pairs[i-1].actual, e.pairs[i-1].predicted, job.ErrCorrupt)
		}
		if p.rows < 1 || p.rows > rows {
			return fmt.Errorf("metric sums: pair %d, %d of %d rows, %d are left: %w", p.actual, p.predicted, p.rows, rows, job.ErrCorrupt)
		}
		rows -= p.rows
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

// extra reads extra sums.
func (r *reader) extra() *extra {
	e := &extra{top: int64(r.uint64()), zeros: int64(r.uint64()), brier: r.float64(), relative: r.float64(), logLoss: r.float64()}
	for range r.uint32() {
		e.classes = append(e.classes, classCount{r.uint32(), int64(r.uint64()), int64(r.uint64()), int64(r.uint64())})
	}
	return e
}
