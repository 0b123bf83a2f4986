package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
)

// fingerprint stands for a row: rows of one fingerprint are taken for equal, as
// blobs of one digest are. It is half a SHA-256.
type fingerprint [16]byte

// fingerprintWidth is the values of eight bytes that a fingerprint takes.
const fingerprintWidth = 2

// setBytes is what a fingerprint takes in a set, more or less.
const setBytes = 32

// distinct keeps the first of rows that are equal in every column and the label,
// in place. The rows' fingerprints are written down once and read
// several times, each time for another part of those there can be, so that
// about keepBytes of them are in memory at a time.
func (w *work) distinct(ctx context.Context, t *table, rows []int32) ([]int32, error) {
	prints, err := w.fingerprints(ctx, t, rows)
	if err != nil {
		return nil, err
	}
	passes := uint64(int64(len(rows))*setBytes/max(w.space.keep, 1<<16) + 1)
	again := make([]uint64, len(rows)/64+1) // a bit for each row that was there before
	seen := map[fingerprint]struct{}{}
	for pass := range passes {
		u := prints.cursor(all(len(rows)))
		for i := range rows {
			if i%patience == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			raw, err := u.raw()
			if err != nil {
				return nil, err
			}
			if passes > 1 && binary.LittleEndian.Uint64(raw)%passes != pass {
				continue
			}
			f := fingerprint(raw)
			if _, ok := seen[f]; ok {
				again[i/64] |= 1 << (i % 64)
			}
			seen[f] = struct{}{}
		}
		clear(seen)
	}
	kept := rows[:0]
	for i, r := range rows {
		if again[i/64]>>(i%64)&1 == 0 {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// fingerprints writes down those of rows, in order.
func (w *work) fingerprints(ctx context.Context, t *table, rows []int32) (*cells, error) {
	data, err := w.space.scratch(int64(len(rows)) * int64(len(fingerprint{})))
	if err != nil {
		return nil, err
	}
	features, label := t.cells.cursor(these(rows)), t.label.cells.cursor(these(rows))
	var key []byte
	for i := range rows {
		if i%patience == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
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
