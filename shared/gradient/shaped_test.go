package gradient

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/plan"
)

type oneBlock struct{ *dataset.Block }

func (o oneBlock) Get(context.Context, dataset.BlockRef) (*dataset.Block, error) { return o.Block, nil }

// A block whose fields differ from the plan's is corrupt. No row of it is read.
func TestBlocksHaveThePlansFields(t *testing.T) {
	table := &dataset.Block{Rows: 1, Features: 2, Targets: 1, X: []float32{1, 2}, Y: []float32{3}}
	schema := dataset.Schema{{Name: "x", DType: dataset.Int32}, {Name: "y", DType: dataset.Int32, Target: true}}
	fields, err := dataset.NewBlock(schema, 1)
	require.NoError(t, err)
	for _, c := range []struct {
		data  dataset.Manifest
		block *dataset.Block
		fault string
	}{
		{dataset.Manifest{Features: 2, Targets: 1}, table, ""},
		{dataset.Manifest{Features: 3, Targets: 1}, table, "the fields x float32 [2], y float32 [1], the plan x float32 [3], y float32 [1]"},
		{dataset.Manifest{Features: 2, Targets: 2}, table, "the plan x float32 [2], y float32 [2]"},
		{dataset.Manifest{Features: 2, Targets: 1}, fields, "the fields x int32 [], y int32 []"},
		{dataset.Manifest{Fields: schema}, fields, ""},
		{dataset.Manifest{Fields: schema}, table, "the plan x int32 [], y int32 []"},
	} {
		c.data.Splits = map[job.Split][]dataset.BlockRef{job.Train: {{Rows: 1}}}
		s, err := samplesOf(&plan.Plan{Dataset: c.data}, oneBlock{c.block}, 1)
		require.NoError(t, err)
		got, err := s.block(t.Context(), job.Train, 0)
		if c.fault == "" {
			require.NoError(t, err)
			require.Same(t, c.block, got)
			continue
		}
		require.ErrorIs(t, err, job.ErrCorrupt)
		require.ErrorContains(t, err, c.fault)
	}
}
