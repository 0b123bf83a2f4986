package job

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASentenceLeavesOutTheClasses(t *testing.T) {
	require.Equal(t, "no model x", Sentence(fmt.Errorf("no model x: %w", ErrNotFound)))
	require.Equal(t, "block 3", Sentence(fmt.Errorf("block 3: %w: %w", ErrNotFound, ErrPoison)))
	require.Equal(t, "a\nb", Sentence(errors.Join(fmt.Errorf("a: %w", ErrInvalid), fmt.Errorf("b: %w", ErrInvalid))))
	require.Equal(t, "invalid things: red", Sentence(errors.New("invalid things: red")))
}

func TestTheClassOfAnError(t *testing.T) {
	require.Equal(t, "ok", ClassOf(nil))
	require.Equal(t, "stale", ClassOf(fmt.Errorf("x: %w", ErrStale)))
	require.Equal(t, "not supported by this version", ClassOf(fmt.Errorf("x: %w", ErrUnsupported)))
	require.Equal(t, "failed", ClassOf(errors.New("x")))
}
