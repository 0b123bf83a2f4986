package isa_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric/isa"
)

func TestChoose(t *testing.T) {
	available := isa.Available()
	require.Equal(t, isa.Go, available[len(available)-1])
	s, err := isa.Choose("")
	require.NoError(t, err)
	require.Equal(t, available[0], s)
	for _, want := range available {
		s, err = isa.Choose(string(want))
		require.NoError(t, err)
		require.Equal(t, want, s)
	}
	s, err = isa.Choose("sse9")
	require.Equal(t, available[0], s)
	require.ErrorContains(t, err, `TRIBUTARY_NUMERICS: "sse9": want one that this CPU has, of [`)
	require.NoError(t, isa.Err())
	require.Contains(t, available, isa.Chosen())
}
