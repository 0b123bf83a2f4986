package ledger_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

func digest(t *testing.T, hexadecimal string) (d [sha256.Size]byte) {
	t.Helper()
	b, err := hex.DecodeString(hexadecimal)
	require.NoError(t, err)
	copy(d[:], b)
	return d
}

// The expected links were computed by another program, as PROTOCOL.md says:
//
//	g = sha256(b"tributary chain 1" + b"ab" * 32 + (1).to_bytes(8, "little")).digest()
//	sha256(g + (0x0123456789abcdef).to_bytes(8, "little")).digest()
func TestLinks(t *testing.T) {
	lay := ledger.Layout{
		Ref: job.Ref{Job: "j", Run: "r"}, Params: 3, ChunkLen: 2, Microbatch: 1,
		Plan: "abababababababababababababababababababababababababababababababab",
	}
	genesis := lay.Genesis()
	require.Len(t, genesis, 2)
	require.Equal(t, ledger.Link(digest(t, "5faa240a52dde2d542a5ad0526eee0ab701b1bacb58ba3772103ae9c6d2d4f30")), genesis[1])
	require.NotEqual(t, genesis[0], genesis[1])
	next := genesis[1].Next(0x0123456789abcdef)
	require.Equal(t, "b5df981ada3582aec66be48de46227217aa31a8f062270ee77eb85a7fd5e04c6", next.String())

	text, err := json.Marshal(genesis)
	require.NoError(t, err)
	var back ledger.Chain
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, genesis, back)
	for _, bad := range []string{`["ab"]`, `["x"]`, `[""]`} {
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &back), job.ErrCorrupt, bad)
	}

	run := lay
	run.Ref = job.Ref{Job: "k", Run: "s"}
	require.Equal(t, genesis, run.Genesis(), "a job that is done again has the same history")
}

// Following the log allocates no memory.
func TestNextAllocatesNothing(t *testing.T) {
	link := ledger.Link{1}
	require.Zero(t, testing.AllocsPerRun(100, func() { link = link.Next(7) }))
}
