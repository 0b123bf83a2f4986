package ingest

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
)

const writers = 4 // number of blocks that are encoded and put concurrently

// writeBlocks encodes a part into blocks, puts them into the store and returns their
// descriptions in order.
func (w *work) writeBlocks(ctx context.Context, prep *dataset.Preprocessing, p splitRows) ([]dataset.BlockRef, error) {
	features, targets := prep.Features(), p.table.label.targets()
	per, err := dataset.Table(features, targets).BlockRows()
	if err != nil {
		return nil, fmt.Errorf("rows of %d features and %d targets: %w", features, targets, err)
	}
	e, err := newEncoder(ctx, prep, p.table)
	if err != nil {
		return nil, err
	}
	refs, err := w.putBlocks(ctx, len(p.rows), per, func(ctx context.Context, lo, hi int) (*dataset.Block, error) {
		return e.block(ctx, p.cells.slice(lo, hi), p.rows[lo:hi])
	})
	if err != nil {
		return nil, err
	}
	w.reportUnseen(e, p)
	return refs, nil
}

// putBlocks cuts rows into blocks of per rows and puts the block that block makes of each
// into the store. It returns their descriptions in order. It calls block concurrently.
func (w *work) putBlocks(ctx context.Context, rows, per int, block func(ctx context.Context, lo, hi int) (*dataset.Block, error)) ([]dataset.BlockRef, error) {
	refs := make([]dataset.BlockRef, (rows+per-1)/per)
	group, putting := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range refs {
		if putting.Err() != nil {
			break
		}
		group.Go(func() error {
			return lifecycle.Contain("write blocks", func() error {
				b, err := block(putting, i*per, min((i+1)*per, rows))
				if err != nil {
					return err
				}
				data := dataset.Encode(b)
				digest, err := w.Store.Put(putting, data)
				if err != nil {
					return fmt.Errorf("put block %d: %w", i, err)
				}
				refs[i] = dataset.BlockRef{Digest: digest, Rows: b.Rows, Bytes: len(data)}
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return refs, ctx.Err()
}

// reportUnseen reports the columns of a split with categories that no training row has.
func (w *work) reportUnseen(e *encoder, p splitRows) {
	var found notes
	for j := range e.unseen {
		if n := e.unseen[j].Load(); n > 0 {
			found.add("%s: column %q: %d of %d rows have a category that no training row has: it is encoded as no category", p.split, e.prep.Columns[j].Name, n, len(p.rows))
		}
	}
	w.sayAll(&found, "have such categories")
}

// encoder converts a table's rows into features and targets. The results have the same
// bits as those of Preprocessing.Apply from raw rows. It is safe for concurrent use.
type encoder struct {
	prep    *dataset.Preprocessing
	table   *table
	offsets []dataset.Offset
	slots   []slots

	unseen []atomic.Int64 // by column: rows whose category has no feature
}

// slots maps a categorical column's codes to features: the index, in the row, of the
// feature that becomes 1; for an embedded column, the number of the category; -1 for none.
type slots struct {
	code    []int32
	missing int32
	// Of a hashed column, whose cells are hashes: the slot of the first bucket.
	first   int32
	buckets int
}

// slotOf returns the slot of category k of a column.
func slotOf(c *dataset.Column, o dataset.Offset, k int) int {
	if c.Embed > 0 {
		return o.First + k
	}
	return o.At + k
}

// of returns the slot of a cell.
func (s *slots) of(x float64) int32 {
	switch {
	case isMissing(x):
		return s.missing
	case s.buckets > 0:
		return s.first + int32(dataset.Bucket(uint64(x), s.buckets))
	default:
		return s.code[int(x)]
	}
}

func newEncoder(ctx context.Context, prep *dataset.Preprocessing, t *table) (*encoder, error) {
	e := &encoder{prep: prep, table: t, slots: make([]slots, len(t.columns)), unseen: make([]atomic.Int64, len(t.columns))}
	var p pace
	for j, o := range prep.Offsets() {
		e.offsets = append(e.offsets, o)
		c := &prep.Columns[j]
		if err := p.check(ctx, columnCost+columnCost*len(c.Categories)); err != nil {
			return nil, err
		}
		if c.Kind == dataset.Categorical {
			slot := func(text string) int32 {
				if k, ok := c.Category(text); ok {
					return int32(slotOf(c, o, k))
				}
				return -1
			}
			s := &e.slots[j]
			s.missing = -1
			if c.FillCategory != nil {
				s.missing = slot(*c.FillCategory)
			}
			if c.Hash > 0 {
				s.first, s.buckets = int32(slotOf(c, o, 0)), c.Hash
				continue
			}
			for _, text := range t.columns[j].dict.texts {
				s.code = append(s.code, slot(text))
			}
		}
	}
	return e, nil
}

// block encodes the cells of an order; rows are their row numbers in the source.
func (e *encoder) block(ctx context.Context, o order, rows []int32) (*dataset.Block, error) {
	b := &dataset.Block{Rows: o.n, Features: e.prep.Features(), Targets: e.table.label.targets()}
	b.X, b.Y = make([]float32, b.Rows*b.Features), make([]float32, b.Rows*b.Targets)
	cells, label := e.table.cells.cursor(o), e.table.label.cells.cursor(o)
	var p pace
	for i, r := range rows {
		if err := p.check(ctx, e.table.cells.width+b.Features); err != nil {
			return nil, err
		}
		raw, err := cells.row()
		if err != nil {
			return nil, err
		}
		if err := e.features(b.X[i*b.Features:(i+1)*b.Features], raw); err != nil {
			return nil, fmt.Errorf("row %d: %w", r+1, err)
		}
		y, err := label.row()
		if err != nil {
			return nil, err
		}
		if err := e.table.label.target(b.Y[i*b.Targets:(i+1)*b.Targets], y, e.prep); err != nil {
			return nil, fmt.Errorf("row %d: %w", r+1, err)
		}
	}
	return b, nil
}

// features encodes one row into dst, which the caller has set to zero.
func (e *encoder) features(dst []float32, raw []float64) error {
	for j, x := range raw {
		c := &e.prep.Columns[j]
		if c.Kind == dataset.Categorical {
			slot := e.slots[j].of(x)
			if slot < 0 {
				e.unseen[j].Add(1)
			}
			if c.Embed > 0 {
				dst[e.offsets[j].At] = float32(slot)
			} else if slot >= 0 {
				dst[slot] = 1
			}
			continue
		}
		if isMissing(x) {
			x = *c.Fill // if there is no fill, rows with missing values are already dropped
		}
		f, err := c.Scaled(x)
		if err != nil {
			return fmt.Errorf("column %q: %w: %w", c.Name, err, job.ErrInvalid)
		}
		dst[e.offsets[j].At] = f
	}
	return nil
}
