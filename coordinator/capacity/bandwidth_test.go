package capacity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/capacity"
)

func TestBandwidths(t *testing.T) {
	for text, want := range map[string]capacity.BitsPerSecond{
		"10Gbps": 10e9, "10 Gbps": 10e9, "2.5Gbit/s": 2.5e9, "100Mb/s": 1e8, "1000000bps": 1e6, "400kbps": 4e5, "1Tbps": 1e12,
	} {
		var b capacity.BitsPerSecond
		require.NoError(t, b.UnmarshalText([]byte(text)), text)
		require.InEpsilon(t, float64(want), float64(b), 1e-12, text)
		again := b
		require.NoError(t, again.UnmarshalText([]byte(b.String())), b.String())
		require.InEpsilon(t, float64(b), float64(again), 1e-12)
	}
}

func TestBandwidthsThatCannotBeMeant(t *testing.T) {
	for text, want := range map[string]string{
		"":         "want a number",
		"10":       "want a number",
		"fast":     "want a number",
		"10GBps":   "want a number", // bytes
		"10Gbps/s": "want a number",
		"-1Gbps":   "want 1kbps to 1000Tbps",
		"0bps":     "want 1kbps to 1000Tbps",
		"10mbps":   "M is mega",
		"1e5Gbps":  "want",
		"NaNbps":   "want a number",
	} {
		var b capacity.BitsPerSecond
		require.ErrorContains(t, b.UnmarshalText([]byte(text)), want, text)
	}
}
