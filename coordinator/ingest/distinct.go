package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
)

// fingerprint identifies a row: rows with equal fingerprints count as equal, like blobs
// with equal digests. It is half a SHA-256.
type fingerprint [16]byte

// fingerprintWidth is the size of a fingerprint, in values of eight bytes.
const fingerprintWidth = 2

// setBytes is the approximate memory of a fingerprint in a set, in bytes.
const setBytes = 32

// distinct keeps, in place, the first of the rows that are equal in every column and the
// label. If the fingerprints need more than about keepBytes in a set, it splits them into
// parts by their first bytes. Equal fingerprints are then in one part, and one part at a
// time is in memory.
func (w *work) distinct(ctx context.Context, t *table, rows []int32) ([]int32, error) {
	prints, err := w.fingerprints(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	o, ends := all(len(rows)), []int{len(rows)}
	if buckets := int(int64(len(rows))*setBytes/max(w.space.keep, 1<<16)) + 1; buckets > 1 {
		var dealt []int32
		if dealt, ends, err = prints.buckets(ctx, len(rows), buckets); err != nil {
			return nil, err
		}
		o = these(dealt)
		if prints, err = w.space.deal(ctx, prints, dealt, len(rows)); err != nil {
			return nil, err
		}
	}
	again := make([]uint64, len(rows)/64+1) // one bit for each row that repeats an earlier one
	seen := map[fingerprint]struct{}{}
	u := prints.cursor(all(len(rows)))
	i := 0
	var p pace
	for _, end := range ends {
		for ; i < end; i++ {
			if err := p.check(ctx, 1); err != nil {
				return nil, err
			}
			raw, err := u.raw()
			if err != nil {
				return nil, err
			}
			f := fingerprint(raw)
			if _, ok := seen[f]; ok {
				at := o.at(i)
				again[at/64] |= 1 << (at % 64)
			}
			seen[f] = struct{}{}
		}
		clear(seen)
	}
	kept := rows[:0]
	for i, r := range rows {
		if err := p.check(ctx, 1); err != nil {
			return nil, err
		}
		if again[i/64]>>(i%64)&1 == 0 {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// buckets splits n rows of fingerprints into buckets by their first bytes. It returns the
// rows bucket by bucket, in order within each bucket, and the end of each bucket.
func (c *cells) buckets(ctx context.Context, n, count int) (rows []int32, ends []int, err error) {
	each := func(visit func(i, bucket int)) error {
		u := c.cursor(all(n))
		var p pace
		for i := range n {
			if err := p.check(ctx, 1); err != nil {
				return err
			}
			raw, err := u.raw()
			if err != nil {
				return err
			}
			visit(i, int(binary.LittleEndian.Uint64(raw)%uint64(count)))
		}
		return nil
	}
	sizes := make([]int, count)
	if err := each(func(_, bucket int) { sizes[bucket]++ }); err != nil {
		return nil, nil, err
	}
	ends = make([]int, count) // the current ends while rows are assigned
	for bucket := 1; bucket < count; bucket++ {
		ends[bucket] = ends[bucket-1] + sizes[bucket-1]
	}
	rows = make([]int32, n)
	err = each(func(i, bucket int) {
		rows[ends[bucket]] = int32(i)
		ends[bucket]++
	})
	return rows, ends, err
}

// fingerprints writes the fingerprints of rows, in order.
func (w *work) fingerprints(ctx context.Context, t *table, rows []int32) (*cells, error) {
	data, err := w.space.scratch(int64(len(rows)) * int64(len(fingerprint{})))
	if err != nil {
		return nil, err
	}
	features, label := t.cells.cursor(these(rows)), t.label.cells.cursor(these(rows))
	var key []byte
	var p pace
	for range rows {
		if err := p.check(ctx, t.cells.width); err != nil {
			return nil, err
		}
		key = key[:0]
		for _, u := range []*cursor{features, label} {
			values, err := u.row()
			if err != nil {
				return nil, err
			}
			for _, x := range values {
				key = appendNumber(key, x)
			}
		}
		sum := sha256.Sum256(key)
		if _, err := data.Write(sum[:len(fingerprint{})]); err != nil {
			return nil, err
		}
	}
	return &cells{kind: floats64, width: fingerprintWidth, data: data}, data.done()
}

// appendNumber appends bytes that are equal for equal numbers.
func appendNumber(dst []byte, x float64) []byte {
	if x == 0 { // -0 is 0
		x = 0
	}
	return appendCell(dst, x)
}
