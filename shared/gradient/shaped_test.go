package gradient

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

type oneBlock struct{ *dataset.Block }

func (o oneBlock) Get(context.Context, dataset.BlockRef) (*dataset.Block, error) { return o.Block, nil }

// A block whose columns differ from the plan's is corrupt. No row of it is read.
func TestBlocksHaveThePlansColumns(t *testing.T) {
	b := &dataset.Block{Rows: 1, Features: 2, Targets: 1, X: []float32{1, 2}, Y: []float32{3}}
	got, err := shaped{oneBlock{b}, 2, 1}.Get(t.Context(), dataset.BlockRef{})
	require.NoError(t, err)
	require.Same(t, b, got)
	for _, s := range []shaped{{oneBlock{b}, 3, 1}, {oneBlock{b}, 2, 2}, {oneBlock{b}, 1, 2}} {
		_, err := s.Get(t.Context(), dataset.BlockRef{})
		require.ErrorIs(t, err, job.ErrCorrupt)
		require.ErrorContains(t, err, "has 2 features and 1 targets")
	}
}
