package gradient

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/plan"
)

// samples reads samples from the blocks of a plan, as the executor takes them.
type samples struct {
	blocks Blocks
	data   *dataset.Manifest
	fields plan.Fields
	// A sample has `targets` numbers of y and up to `terms` terms. With masked, a term whose
	// class is job.Ignored does not count.
	targets, terms int
	masked         bool
}

// samplesOf returns the samples of a plan. terms is what the objective takes per sample.
func samplesOf(p *plan.Plan, blocks Blocks, terms int) (samples, error) {
	f, err := p.Fields()
	if err != nil {
		return samples{}, err
	}
	target := &f.Schema[f.Target]
	return samples{blocks: blocks, data: &p.Dataset, fields: f, targets: target.Elements(), terms: terms, masked: target.Masked}, nil
}

// label describes the unit of the target.
func (r *samples) label() dataset.Column {
	if p := r.data.Preprocessing; p != nil {
		return p.Label
	}
	return dataset.Column{Name: r.fields.Schema[r.fields.Target].Name, Kind: dataset.Numeric, Scale: 1}
}

// block returns block i of a split. It fails with job.ErrCorrupt if its fields are not those
// of the plan.
func (r *samples) block(ctx context.Context, split job.Split, i int) (*dataset.Block, error) {
	ref := r.data.Splits[split][i]
	b, err := r.blocks.Get(ctx, ref)
	if err == nil && !r.fits(b) {
		err = fmt.Errorf("block %s has the fields %s, the plan %s: %w", ref.Digest, b.Schema(), r.fields.Schema, job.ErrCorrupt)
	}
	if err != nil {
		return nil, blockError(split, i, err)
	}
	return b, nil
}

// fits reports whether the rows of a block have the fields of the plan.
func (r *samples) fits(b *dataset.Block) bool {
	if len(r.data.Fields) == 0 && b.X != nil {
		return b.Features == r.data.Features && b.Targets == r.data.Targets
	}
	return b.Schema().Equal(r.fields.Schema)
}

// blockError adds to err which block could not be read. A missing block also gets
// job.ErrPoison: the cache has tried twice, so the block will be missing for the next
// worker too.
func blockError(split job.Split, block int, err error) error {
	if errors.Is(err, job.ErrNotFound) {
		err = errors.Join(err, job.ErrPoison)
	}
	return fmt.Errorf("read block %d of the %s split: %w", block, split, err)
}

// gathered holds samples that were read. The inputs are in the memory of the cache's blocks;
// the targets are a copy.
type gathered struct {
	x      [2]executor.Field // the first as many as the network has inputs
	y      []float32         // [samples, targets]
	ids    []int32           // the numbers of embedded categories
	counts []int32           // of terms per sample, if they are masked
}

// release drops the references to blocks, which belong to the cache.
func (g *gathered) release() {
	for i := range g.x {
		g.x[i].Reset()
	}
}

// gather reads the given rows of a split into g.
func (r *samples) gather(ctx context.Context, g *gathered, split job.Split, rows []dataset.RowRef) error {
	g.y, g.counts, g.ids = g.y[:0], g.counts[:0], g.ids[:0]
	var block *dataset.Block
	at := int32(-1)
	for _, row := range rows {
		if row.Block != at {
			var err error
			if block, err = r.block(ctx, split, int(row.Block)); err != nil {
				return err
			}
			at = row.Block
		}
		r.append(g, block, int(row.Row))
	}
	return nil
}

// append appends one row of a block to g.
func (r *samples) append(g *gathered, b *dataset.Block, row int) {
	x := &g.x[0]
	if b.X != nil {
		r.appendTable(g, b.X[row*b.Features:][:b.Features])
		g.y = append(g.y, b.Y[row*b.Targets:][:b.Targets]...)
		return
	}
	switch f := b.Field(r.fields.Input); f.DType {
	case dataset.Float32:
		x.Float32 = append(x.Float32, f.Float32(row, row+1))
	case dataset.Int32:
		x.Int32 = append(x.Int32, f.Int32(row, row+1))
	case dataset.Uint8:
		x.Uint8 = append(x.Uint8, f.Uint8(row, row+1))
	}
	switch f := b.Field(r.fields.Target); f.DType {
	case dataset.Float32:
		g.y = append(g.y, f.Float32(row, row+1)...)
	case dataset.Int32:
		for _, v := range f.Int32(row, row+1) {
			g.y = append(g.y, float32(v))
		}
		if r.masked {
			g.counts = append(g.counts, int32(f.Terms(row, row+1)))
		}
	case dataset.Uint8:
		for _, v := range f.Uint8(row, row+1) {
			g.y = append(g.y, float32(v))
		}
	}
}

// appendTable appends a row of features to g.
func (r *samples) appendTable(g *gathered, row []float32) {
	at, e := 0, r.fields.Embedded
	if n := len(row) - e.Columns; n > 0 {
		g.x[0].Float32 = append(g.x[0].Float32, row[:n])
		at = 1
	}
	if e.Columns > 0 {
		first := len(g.ids)
		_, g.ids = e.Split(row, g.ids)
		g.x[at].Int32 = append(g.x[at].Int32, g.ids[first:])
	}
}

// termsOf returns the number of terms of the samples lo to hi of g.
func (r *samples) termsOf(g *gathered, lo, hi int) int64 {
	if !r.masked {
		return int64(hi-lo) * int64(r.terms)
	}
	n := int64(0)
	for _, c := range g.counts[lo:hi] {
		n += int64(c)
	}
	return n
}

// unmasked moves the terms that count to the front of z [terms, outputs] and y, and returns
// how many there are.
func unmasked(z, y []float32, outputs int) int {
	n := 0
	for i, class := range y {
		if class == job.Ignored {
			continue
		}
		copy(z[n*outputs:(n+1)*outputs], z[i*outputs:(i+1)*outputs])
		y[n] = class
		n++
	}
	return n
}
