package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"

	"tributary/shared/job"
)

// Limits of pages, which are in memory as a whole.
const (
	maxHeader     = 1 << 20   // bytes of a page's header
	maxPage       = 256 << 20 // bytes of a page, packed and unpacked
	maxValues     = 1 << 24   // values of a page
	maxPagesBytes = 512 << 20 // the largest page of each column together
)

// page is what the header of a page announces.
type page struct {
	kind             format.PageType
	unpacked, packed int64
	values           int64
	encoding         format.Encoding
	levelEncoding    format.Encoding // of a page of version 1
	// Of a page of version 2: bytes of levels, which are not packed, those of definition
	// levels among them, and whether the values are not packed either.
	levels, definition int64
	plain              bool
	texts              int64 // bytes of the texts that prefixes make longer, set by leaf.check
}

// pageHeader reads the header of a page and returns its length.
func pageHeader(head []byte) (page, int64, error) {
	p := page{kind: -1, packed: -1, unpacked: -1, values: -1}
	c := &compact{data: head, visit: func(outer, inner int16, x int64) {
		switch [2]int16{outer, inner} {
		case [2]int16{1, 0}:
			p.kind = format.PageType(x)
		case [2]int16{2, 0}:
			p.unpacked = x
		case [2]int16{3, 0}:
			p.packed = x
		case [2]int16{5, 1}, [2]int16{7, 1}, [2]int16{8, 1}:
			p.values = x
		case [2]int16{5, 2}, [2]int16{8, 4}:
			p.encoding = format.Encoding(x)
		case [2]int16{5, 3}:
			p.levelEncoding = format.Encoding(x)
		case [2]int16{8, 5}:
			p.definition = x
			p.levels += x
		case [2]int16{8, 6}:
			p.levels += x
		case [2]int16{8, 7}:
			p.plain = x == 0
		}
	}}
	if err := c.structure(1, 0); err != nil {
		return p, 0, fmt.Errorf("header of a page: %w", err)
	}
	switch {
	case p.kind < 0 || p.kind > format.DataPageV2 || p.kind == format.IndexPage:
		return p, 0, fmt.Errorf("a page of type %d: want one of data or of a dictionary", p.kind)
	case p.packed < 0 || p.packed > maxPage || p.unpacked < 0 || p.unpacked > maxPage:
		return p, 0, fmt.Errorf("a page of %d bytes (%d unpacked): want at most %d: write smaller data pages", p.packed, p.unpacked, maxPage)
	case p.values < 0 || p.values > maxValues:
		return p, 0, fmt.Errorf("a page of %d values: want at most %d: write smaller data pages", p.values, maxValues)
	case p.definition < 0 || p.levels < p.definition || p.levels > p.packed || p.levels > p.unpacked:
		return p, 0, fmt.Errorf("a page of %d bytes with %d bytes of levels", p.packed, p.levels)
	}
	return p, int64(c.at), nil
}

// memory returns about the bytes that a decoded page takes.
func (p *page) memory() int64 { return p.packed + 2*p.unpacked + 9*p.values + p.texts }

// checkPages walks over the pages of a flat column of a row group before the library
// decodes them. It refuses pages that are too large for memory, that unpack to more than
// they announce, or whose values are not the rows. It returns the memory of the largest.
func checkPages(r io.ReaderAt, size int64, l *leaf, m *format.ColumnMetaData, rows int64) (memory int64, err error) {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	if at < 0 || m.TotalCompressedSize < 0 || at > size || m.TotalCompressedSize > size-at {
		return 0, fmt.Errorf("its pages lie outside of the file")
	}
	if m.Codec != format.Uncompressed && m.Codec != format.Snappy && m.Codec != format.Gzip && m.Codec != format.Zstd {
		return 0, fmt.Errorf("compressed with %s: want snappy, gzip, zstd or none", m.Codec)
	}
	end := at + m.TotalCompressedSize
	var values, dictionary, largest int64
	for first := true; at < end; first = false {
		p, n, err := readHeader(r, at, end)
		if err != nil {
			return 0, err
		}
		body := at + n
		if p.packed > end-body {
			return 0, fmt.Errorf("a page of %d bytes, of which %d are there", p.packed, end-body)
		}
		content, err := unpack(r, body, &p, m.Codec)
		if err != nil {
			return 0, err
		}
		if err := l.check(&p, content); err != nil {
			return 0, err
		}
		if p.kind == format.DictionaryPage {
			if !first {
				return 0, errors.New("a dictionary after other pages")
			}
			dictionary = p.memory()
		} else {
			values += p.values
			largest = max(largest, p.memory())
		}
		at = body + p.packed
	}
	if values != rows {
		return 0, fmt.Errorf("its pages have %d values for %d rows", values, rows)
	}
	return dictionary + largest, nil
}

// readHeader reads the header of the page at an offset. A header is seldom longer than
// some dozens of bytes.
func readHeader(r io.ReaderAt, at, end int64) (page, int64, error) {
	for n := int64(256); ; n *= 16 {
		head := make([]byte, min(n, end-at))
		if _, err := r.ReadAt(head, at); err != nil && !errors.Is(err, io.EOF) {
			return page{}, 0, err
		}
		p, length, err := pageHeader(head)
		if !errors.Is(err, errShort) || n >= maxHeader || n >= end-at {
			return p, length, err
		}
	}
}

// unpack returns the content of a page. It refuses a page that unpacks to another number of
// bytes than its header announces.
func unpack(r io.ReaderAt, at int64, p *page, codec format.CompressionCodec) ([]byte, error) {
	packed := make([]byte, p.packed)
	if _, err := r.ReadAt(packed, at); err != nil {
		return nil, err
	}
	if p.plain || codec == format.Uncompressed || p.packed == p.levels {
		return packed, announced(p.packed, p.unpacked)
	}
	levels, body, want := packed[:p.levels], packed[p.levels:], p.unpacked-p.levels
	var in io.Reader
	switch codec {
	case format.Snappy:
		n, err := snappy.DecodedLen(body)
		if err == nil {
			err = announced(int64(n), want)
		}
		if err != nil {
			return nil, err
		}
		out, err := snappy.Decode(nil, body)
		return append(slices.Clip(levels), out...), err
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		in = z
	default:
		z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxPage))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		in = z
	}
	out := bytes.NewBuffer(slices.Clip(levels))
	n, err := io.Copy(out, io.LimitReader(in, want+1))
	if err != nil {
		return nil, err
	}
	return out.Bytes(), announced(n, want)
}

func announced(n, want int64) error {
	if n != want {
		return fmt.Errorf("a page of %d bytes, whose header announces %d", n, want)
	}
	return nil
}

// damaged says that a column is damaged.
func damaged(column string, err error) error {
	return fmt.Errorf("column %.80q: %w: the column is damaged or not supported: leave it out with data.drop, or write the file again: %w", column, err, job.ErrInvalid)
}
