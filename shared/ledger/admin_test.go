package ledger_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/ledger"
	"tributary/shared/wire"
)

func TestNeed(t *testing.T) {
	lay := ledger.Layout{Params: 1000, ChunkLen: 100, Microbatch: 8}
	require.Equal(t, int64(2*3*4000+2*4000+3*4000+32*10), lay.Need(3, 10), "two snapshots, two roots, three partials, ten steps")
	lay.Microbatch = 1
	require.Equal(t, int64(2*4000+2*4000), lay.Need(1, 0), "one micro-batch has no partials")
	lay.Microbatch = 2
	lay.Wire = wire.Format{Encoding: wire.Bfloat16}
	require.Equal(t, int64(2*2*4000+2*(2000+2000)+2000), lay.Need(1, 0), "a lossy wire keeps the residual, and halves roots and partials")
	require.Equal(t, int64(4000), lay.Entry())
}
