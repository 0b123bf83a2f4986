package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

// leaf is what the schema says about a flat column.
type leaf struct {
	kind     format.Type
	length   int64 // bytes of a value of FIXED_LEN_BYTE_ARRAY
	optional bool  // the pages have definition levels
}

// errFew is the error for a page that has fewer values than its header announces. The
// library would read what lies behind them in memory.
var errFew = errors.New("a page of fewer values than its header announces")

// check reports whether an unpacked page has the values that its header announces.
func (l *leaf) check(p *page, body []byte) error {
	if p.kind == format.DictionaryPage {
		return l.plain(body, p.values)
	}
	var levels []byte
	switch {
	case p.kind == format.DataPageV2:
		if p.levels > int64(len(body)) {
			return errFew
		}
		levels, body = body[p.levels-p.definition:p.levels], body[p.levels:]
	case l.optional:
		if p.levelEncoding != format.RLE {
			return fmt.Errorf("definition levels encoded as %s: want RLE", p.levelEncoding)
		}
		var err error
		if levels, body, err = sized(body); err != nil {
			return err
		}
	}
	n := p.values
	if l.optional {
		var err error
		if n, err = runs(levels, 1, p.values); err != nil {
			return err
		}
	}
	var err error
	if p.encoding == format.DeltaByteArray && n > 0 {
		p.texts, err = prefixed(body, n)
		return err
	}
	return l.data(p.encoding, body, n)
}

// data checks n values that are not null.
func (l *leaf) data(encoding format.Encoding, body []byte, n int64) error {
	if n == 0 {
		return nil
	}
	var err error
	switch encoding {
	case format.Plain:
		return l.plain(body, n)
	case format.PlainDictionary, format.RLEDictionary: //nolint:staticcheck // old files have the first one
		if len(body) == 0 || body[0] > 32 {
			return errFew
		}
		_, err = runs(body[1:], int64(body[0]), n)
	case format.RLE:
		if body, _, err = sized(body); err == nil {
			_, err = runs(body, 1, n)
		}
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray:
		err = deltas(encoding, body, n)
	case format.ByteStreamSplit:
		if width := l.width(); width == 0 || int64(len(body)) != n*width {
			err = errFew
		}
	default:
		err = fmt.Errorf("values encoded as %s: want plain ones or a dictionary", encoding)
	}
	return err
}

// width returns the bytes of a value, or 0 if they differ or are less than one.
func (l *leaf) width() int64 {
	switch l.kind {
	case format.Int32, format.Float:
		return 4
	case format.Int64, format.Double:
		return 8
	case format.Int96:
		return 12
	case format.FixedLenByteArray:
		return l.length
	default:
		return 0
	}
}

// plain checks n values that are written one after the other.
func (l *leaf) plain(body []byte, n int64) error {
	switch l.kind {
	case format.Boolean:
		if (n+7)/8 > int64(len(body)) {
			return errFew
		}
	case format.ByteArray:
		for range n {
			var err error
			if _, body, err = sized(body); err != nil {
				return err
			}
		}
	default:
		if n*l.width() > int64(len(body)) {
			return errFew
		}
	}
	return nil
}

// sized splits off bytes that follow their length.
func sized(body []byte) (part, rest []byte, err error) {
	if len(body) < 4 {
		return nil, nil, errFew
	}
	n, body := binary.LittleEndian.Uint32(body), body[4:]
	if int64(n) > int64(len(body)) {
		return nil, nil, errFew
	}
	return body[:n], body[n:], nil
}

// runs checks that a hybrid of runs and packed bits has n values of width bits. For a
// width of 1 it returns the number of ones among the first n.
func runs(body []byte, width, n int64) (ones int64, err error) {
	c := &compact{data: body}
	for left := n; left > 0; {
		head, err := c.uvarint()
		if err != nil {
			return 0, errFew
		}
		count := int64(head >> 1 & (1<<32 - 1))
		if head&1 == 0 { // a run of one value
			from := c.at
			if c.skip(uint64(width+7)/8) != nil || count == 0 {
				return 0, errFew
			}
			if width == 1 {
				ones += min(count, left) * int64(body[from]&1)
			}
			left -= count
			continue
		}
		from := c.at
		if c.skip(uint64(count*width)) != nil || count == 0 {
			return 0, errFew
		}
		for i := int64(0); width == 1 && i < min(8*count, left); i++ {
			ones += int64(body[int64(from)+i/8] >> (i % 8) & 1)
		}
		left -= 8 * count
	}
	return ones, nil
}
