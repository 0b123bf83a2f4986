package parquet

import (
	"fmt"

	"github.com/parquet-go/parquet-go/format"
)

// deltas checks the values of a delta encoding.
func deltas(encoding format.Encoding, body []byte, n int64) error {
	c := &compact{data: body}
	if encoding == format.DeltaBinaryPacked {
		return c.deltas(n, nil)
	}
	lengths := int64(0)
	err := c.deltas(n, func(x int64) bool {
		lengths += x
		return x >= 0 && lengths <= int64(len(body))
	})
	if err == nil && lengths > int64(len(body)-c.at) {
		err = errFew
	}
	return err
}

// prefixed checks texts of which each is a prefix of the one before and a suffix: few bytes
// can announce very long ones. It returns the bytes of all texts.
func prefixed(body []byte, n int64) (total int64, err error) {
	c := &compact{data: body}
	prefixes := make([]int32, 0, n)
	err = c.deltas(n, func(x int64) bool {
		prefixes = append(prefixes, int32(x))
		return x >= 0 && x <= int64(len(body))
	})
	if err != nil {
		return 0, err
	}
	var i, length, suffixes int64
	err = c.deltas(n, func(x int64) bool {
		prefix := int64(prefixes[i])
		ok := x >= 0 && x <= int64(len(body)) && prefix <= length
		i++
		length = prefix + x
		suffixes += x
		total += length
		return ok && suffixes <= int64(len(body)) && total <= maxPage
	})
	switch {
	case total > maxPage:
		return 0, fmt.Errorf("a page of texts of over %d bytes: write smaller data pages", maxPage)
	case err == nil && suffixes > int64(len(body)-c.at):
		return 0, errFew
	}
	return total, err
}

// deltas reads n integers of the encoding DELTA_BINARY_PACKED. It passes each to check,
// which may be nil, and fails if check returns false.
func (c *compact) deltas(n int64, check func(int64) bool) (err error) {
	var head [3]uint64 // values of a block, miniblocks of a block, values
	for i := range head {
		if head[i], err = c.uvarint(); err != nil {
			return errFew
		}
	}
	if head[2] != uint64(n) || head[0] == 0 || head[0] > 1<<16 || head[1] == 0 || head[0]%head[1] != 0 {
		return errFew
	}
	mini := int64(head[0] / head[1])
	x, err := c.varint()
	if err != nil || check != nil && !check(x) {
		return errFew
	}
	for left := n - 1; left > 0; {
		least, err := c.varint()
		if err != nil {
			return errFew
		}
		at := c.at
		if c.skip(head[1]) != nil {
			return errFew
		}
		for _, width := range c.data[at:c.at] {
			if left <= 0 {
				break
			}
			from := c.at
			if width > 64 || c.skip(uint64(mini*int64(width)+7)/8) != nil {
				return errFew
			}
			for k := int64(0); check != nil && k < min(mini, left); k++ {
				x += least + bits(c.data[from:], k*int64(width), int64(width))
				if !check(x) {
					return errFew
				}
			}
			left -= mini
		}
	}
	return nil
}

// bits returns the number in some bits, the lowest first.
func bits(data []byte, at, width int64) int64 {
	var x uint64
	for i := range width {
		x |= uint64(data[(at+i)/8]>>((at+i)%8)&1) << i
	}
	return int64(x)
}
