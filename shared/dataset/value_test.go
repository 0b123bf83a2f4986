package dataset_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
)

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]struct {
		x    float64
		kind dataset.NumberKind
	}{
		"5": {5, dataset.Finite}, " -2.50 ": {-2.5, dataset.Finite}, "1e3": {1000, dataset.Finite}, "+.5": {0.5, dataset.Finite}, "-0": {0, dataset.Finite},
		"NaN": {kind: dataset.NonFinite}, "nan": {kind: dataset.NonFinite}, "-Inf": {kind: dataset.NonFinite}, "+infinity": {kind: dataset.NonFinite}, "1e999": {kind: dataset.NonFinite},
		"abc": {}, "1,5": {}, "0x10": {}, "1_000": {}, "": {}, "-": {}, "1e": {}, "12 3": {}, "5%": {},
	} {
		x, kind := dataset.ParseNumber(text)
		require.Equal(t, want.kind, kind, "%q", text)
		require.InDelta(t, want.x, x, 0, "%q", text)
	}
}

func TestMissingCell(t *testing.T) {
	for _, s := range []string{"", " ", "\t", "  ", "NA", " NA "} {
		require.True(t, dataset.MissingCell(s), "%q", s)
	}
	for _, s := range []string{"0", "N/A", "NaN", "na", "None", "-"} {
		require.False(t, dataset.MissingCell(s), "%q", s)
	}
}

func TestFormatNumberReadsBack(t *testing.T) {
	for x, want := range map[float64]string{0: "0", math.Copysign(0, -1): "0", 7: "7", -1.5: "-1.5", 255: "255", 1e20: "100000000000000000000", 1e21: "1e+21", 1e-7: "1e-07"} {
		require.Equal(t, want, dataset.FormatNumber(x))
	}
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Float64().Draw(t, "x")
		got, kind := dataset.ParseNumber(dataset.FormatNumber(want))
		require.Equal(t, dataset.Finite, kind)
		require.True(t, got == want)
	})
}

func TestClassIndex(t *testing.T) {
	digits := dataset.IndexClasses([]string{"0", "1", "10"})
	for text, want := range map[string]int{"0": 0, "1": 1, "1.0": 1, " 10": 2, "1e1": 2} {
		got, ok := digits.Lookup(text)
		require.True(t, ok, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"2", "", "nan", "one"} {
		_, ok := digits.Lookup(text)
		require.False(t, ok, text)
	}
	words := dataset.IndexClasses([]string{"1", "bad"})
	_, ok := words.Lookup("1.0")
	require.False(t, ok, "text is compared as text")
}
