package ingest

import (
	"context"
	"math"
	"slices"

	"tributary/shared/dataset"
)

// The edges of the bins of a profile come from at most sampleRows rows, at regular
// distances, and from at most sampleBytes of values.
const (
	sampleRows  = 10_000
	sampleBytes = 32 << 20
	profileBins = 10
)

// profile describes the training rows of a table, which the preprocessing was fitted on. It
// returns nil if there are too many columns.
func (w *work) profile(ctx context.Context, prep *dataset.Preprocessing, t *table, rows []int32) (*dataset.Profile, error) {
	width := len(t.columns)
	if width > dataset.MaxProfiled {
		return nil, ctx.Err()
	}
	p := &dataset.Profile{Version: dataset.ProfileVersion, Rows: int64(len(rows)), Columns: make([]dataset.ColumnProfile, width)}
	slots := make([][]int32, width) // code → category
	for j := range p.Columns {
		c := &prep.Columns[j]
		p.Columns[j].Name = c.Name
		if c.Kind != dataset.Categorical {
			continue
		}
		p.Columns[j].Counts = make([]int64, c.Bins())
		if c.Hash > 0 {
			continue
		}
		for _, text := range t.columns[j].dict.texts {
			k, ok := c.Category(text)
			if !ok {
				k = -1
			}
			slots[j] = append(slots[j], int32(k))
		}
	}
	low, high := slices.Repeat([]float64{math.Inf(1)}, width), slices.Repeat([]float64{math.Inf(-1)}, width)
	most := min(sampleRows, len(rows), max(100, sampleBytes/8/width))
	samples := make([][]float64, width)
	taken := 0
	err := t.cells.each(ctx, these(rows), func(i int, row []float64) {
		sampled := taken < most && i == taken*len(rows)/most
		if sampled {
			taken++
		}
		for j, x := range row {
			switch {
			case isMissing(x):
				p.Columns[j].Missing++
			case prep.Columns[j].Hash > 0:
				c := &prep.Columns[j]
				p.Columns[j].Counts[c.ProfileBin(dataset.Bucket(uint64(x), c.Hash))]++
			case slots[j] != nil:
				if k := slots[j][int(x)]; k >= 0 {
					p.Columns[j].Counts[k]++
				}
			default:
				low[j], high[j] = min(low[j], x), max(high[j], x)
				if sampled {
					samples[j] = append(samples[j], x)
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for j := range p.Columns {
		if prep.Columns[j].Kind == dataset.Categorical {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		describeNumbers(&p.Columns[j], samples[j], low[j], high[j])
	}
	return p, nil
}

// describeNumbers sets the range and the bins of a column of numbers.
func describeNumbers(c *dataset.ColumnProfile, sample []float64, low, high float64) {
	if low <= high {
		c.Min, c.Max = &low, &high
	}
	slices.Sort(sample)
	for k := 1; k < profileBins && len(sample) > 0; k++ {
		edge := sample[k*len(sample)/profileBins]
		if edge > low && (len(c.Edges) == 0 || edge > c.Edges[len(c.Edges)-1]) {
			c.Edges = append(c.Edges, edge)
		}
	}
	c.Counts = make([]int64, len(c.Edges)+1)
	for _, x := range sample {
		c.Counts[c.Bin(x)]++
	}
}
