package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/numeric"
	"tributary/shared/numeric/isa"
	"tributary/shared/settings"
)

func TestArithmeticIsNamed(t *testing.T) {
	text := settings.Arithmetic()
	require.Contains(t, text, "arithmetic is "+numeric.Version)
	require.Contains(t, text, "on the "+string(isa.Chosen())+" kernels")
	require.Contains(t, text, isa.Variable)
}
