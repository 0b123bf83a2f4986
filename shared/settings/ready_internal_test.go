package settings

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProbeLayoutIsValid(t *testing.T) { require.NoError(t, probeLayout.Validate()) }
