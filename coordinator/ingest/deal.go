package ingest

import (
	"cmp"
	"context"
	"slices"
)

// regionBytes of a dealt scratch are put in order in memory at a time.
const regionBytes = 16 << 20

// deal returns cells whose row i is c's row order[i], for an order without
// repetition of c's total rows. Cells in a file are never read at
// random: one pass deals the rows to the regions of the new file that they
// belong to, a second puts the rows of each region in order. It takes two
// bytes of memory per row of c and a few times regionBytes.
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
		return out, gather(c, to.memory, rows)
	}
	// At most 65,535 regions, so that a region's number has two bytes.
	per := max(1, s.region()/size, len(rows)/(1<<16-2)+1)
	if err := s.scatter(ctx, c, to, rows, total, per); err != nil {
		return nil, err
	}
	return out, s.arrange(ctx, to, rows, size, per)
}

// region is regionBytes, or less where less is kept in memory.
func (s *space) region() int { return int(min(regionBytes, max(s.keep, 1))) }

// scatter writes each row into its region of per rows, in the order of c.
func (s *space) scatter(ctx context.Context, c *cells, to *scratch, rows []int32, total, per int) error {
	region := make([]uint16, total) // of each row of c, from 1 on; 0 for none
	for i, r := range rows {
		region[r] = uint16(i/per + 1)
	}
	size := c.size()
	piles := make([][]byte, (len(rows)+per-1)/per)
	ends := make([]int64, len(piles)) // bytes written to each region
	pile := max(gapBytes, s.region()/len(piles))
	flush := func(p int) error {
		err := to.put(piles[p], int64(p)*int64(per)*int64(size)+ends[p])
		ends[p] += int64(len(piles[p]))
		piles[p] = piles[p][:0]
		return err
	}
	u := c.cursor(all(total))
	for r := range total {
		if r%patience == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		raw, err := u.raw()
		if err != nil {
			return err
		}
		if region[r] == 0 {
			continue
		}
		p := int(region[r]) - 1
		piles[p] = append(piles[p], raw...)
		if len(piles[p]) >= pile {
			if err := flush(p); err != nil {
				return err
			}
		}
	}
	for p := range piles {
		if err := flush(p); err != nil {
			return err
		}
	}
	return nil
}

// arrange puts the rows of each region in order. They came in ascending order.
func (s *space) arrange(ctx context.Context, to *scratch, rows []int32, size, per int) error {
	var came, ordered []byte
	places := make([]int32, 0, min(per, len(rows)))
	for lo := 0; lo < len(rows); lo += per {
		if err := ctx.Err(); err != nil {
			return err
		}
		wanted := rows[lo:min(lo+per, len(rows))]
		places = ascending(places, wanted)
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

// gather copies rows to memory, in order, and reads them in ascending order.
func gather(c *cells, dst []byte, rows []int32) error {
	places := ascending(make([]int32, 0, len(rows)), rows)
	sorted := slices.Sorted(slices.Values(rows))
	u, size := c.cursor(these(sorted)), c.size()
	for _, place := range places {
		raw, err := u.raw()
		if err != nil {
			return err
		}
		copy(dst[int(place)*size:], raw)
	}
	return nil
}

// ascending returns the places of rows in the order of the rows' numbers. places
// has room for them.
func ascending(places, rows []int32) []int32 {
	places = places[:len(rows)]
	for i := range places {
		places[i] = int32(i)
	}
	slices.SortFunc(places, func(a, b int32) int { return cmp.Compare(rows[a], rows[b]) })
	return places
}
