package ingest

import (
	"context"
)

// regionBytes is the size of a region of a dealt scratch. One region at a time is put in
// order in memory.
const regionBytes = 16 << 20

// deal returns cells whose row i is row rows[i] of c. rows has no repetition and c has
// total rows. Cells in a file are never read at random: one pass writes the rows to their
// regions of the new file, and a second pass puts the rows of each region in order. It
// takes two bytes of memory per row of c and a few times regionBytes.
func (s *space) deal(ctx context.Context, c *cells, rows []int32, total int) (*cells, error) {
	size := c.size()
	bytes := int64(len(rows)) * int64(size)
	to, err := s.scratch(bytes)
	if err != nil {
		return nil, err
	}
	out := &cells{kind: c.kind, width: c.width, data: to}
	if to.file == nil {
		to.memory = to.memory[:bytes]
		return out, gather(ctx, c, to.memory, rows)
	}
	// At most 65,535 regions, so that a region's number fits into two bytes.
	per := max(1, s.region()/size, len(rows)/(1<<16-2)+1)
	if err := s.scatter(ctx, c, to, rows, total, per); err != nil {
		return nil, err
	}
	return out, s.arrange(ctx, to, rows, size, per)
}

// region returns regionBytes, or the size kept in memory if that is less.
func (s *space) region() int { return int(min(regionBytes, max(s.keep, 1))) }

// scatter writes each row into its region of per rows, in the order of c.
func (s *space) scatter(ctx context.Context, c *cells, to *scratch, rows []int32, total, per int) error {
	region := make([]uint16, total) // region of each row of c, from 1 on; 0 for none
	var p pace
	for i, r := range rows {
		if err := p.check(ctx, 1); err != nil {
			return err
		}
		region[r] = uint16(i/per + 1)
	}
	size := c.size()
	piles := make([][]byte, (len(rows)+per-1)/per)
	ends := make([]int64, len(piles)) // bytes written to each region
	pile := max(gapBytes, s.region()/len(piles))
	flush := func(k int) error {
		err := to.put(piles[k], int64(k)*int64(per)*int64(size)+ends[k])
		ends[k] += int64(len(piles[k]))
		piles[k] = piles[k][:0]
		return err
	}
	u := c.cursor(all(total))
	for r := range total {
		if err := p.check(ctx, c.width); err != nil {
			return err
		}
		raw, err := u.raw()
		if err != nil {
			return err
		}
		if region[r] == 0 {
			continue
		}
		k := int(region[r]) - 1
		piles[k] = append(piles[k], raw...)
		if len(piles[k]) >= pile {
			if err := flush(k); err != nil {
				return err
			}
		}
	}
	for k := range piles {
		if err := flush(k); err != nil {
			return err
		}
	}
	return nil
}

// arrange puts the rows of each region in order. Each region arrives in ascending order
// of the rows' numbers.
func (s *space) arrange(ctx context.Context, to *scratch, rows []int32, size, per int) error {
	var came, ordered []byte
	var a arranger
	for lo := 0; lo < len(rows); lo += per {
		if err := ctx.Err(); err != nil {
			return err
		}
		wanted := rows[lo:min(lo+per, len(rows))]
		places := a.ascending(wanted)
		at := int64(lo) * int64(size)
		var err error
		if came, err = to.view(came, at, len(wanted)*size); err != nil {
			return err
		}
		if ordered == nil {
			ordered = make([]byte, len(came))
		}
		ordered = ordered[:len(came)]
		for i, place := range places {
			copy(ordered[int(place)*size:], came[i*size:(i+1)*size])
		}
		if err := to.put(ordered, at); err != nil {
			return err
		}
	}
	return nil
}

// gather copies rows to memory in the order of rows, and reads them in ascending order.
func gather(ctx context.Context, c *cells, dst []byte, rows []int32) error {
	var a arranger
	places := a.ascending(rows)
	sorted := make([]int32, len(rows))
	for i, place := range places {
		sorted[i] = rows[place]
	}
	u, size := c.cursor(these(sorted)), c.size()
	var p pace
	for _, place := range places {
		if err := p.check(ctx, c.width); err != nil {
			return err
		}
		raw, err := u.raw()
		if err != nil {
			return err
		}
		copy(dst[int(place)*size:], raw)
	}
	return nil
}

// arranger holds the buffers of a radix sort.
type arranger struct{ places, other []int32 }

// ascending returns the indices of rows, sorted by the rows' numbers. The result is valid
// until the next call. The time is linear in the number of rows.
func (a *arranger) ascending(rows []int32) []int32 {
	if len(a.places) < len(rows) {
		a.places, a.other = make([]int32, len(rows)), make([]int32, len(rows))
	}
	places, other := a.places[:len(rows)], a.other[:len(rows)]
	for i := range places {
		places[i] = int32(i)
	}
	for shift := 0; shift < 32; shift += 8 {
		var starts [256]int
		for _, r := range rows {
			starts[byte(r>>shift)]++
		}
		at := 0
		for b, n := range starts {
			starts[b] = at
			at += n
		}
		for _, p := range places {
			b := byte(rows[p] >> shift)
			other[starts[b]] = p
			starts[b]++
		}
		places, other = other, places
	}
	return places
}
