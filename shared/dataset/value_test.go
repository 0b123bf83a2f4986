package dataset_test

import (
	"math"
	"math/big"
	"strconv"
	"strings"
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

// Every text has the number that strconv reads, bit for bit.
func TestParseNumberIsStrconv(t *testing.T) {
	check := func(text string) {
		want, err := strconv.ParseFloat(text, 64)
		got, kind := dataset.ParseNumber(text)
		require.Equal(t, err == nil, kind == dataset.Finite, "%q", text)
		if err == nil {
			require.Equal(t, math.Float64bits(want), math.Float64bits(got), "%q", text)
		}
	}
	for _, text := range []string{
		"0", "-0", "-0.0", "00.10", "1.", ".1", "-.1", "-", ".", "-.", "1.2.3", "1-2", "9007199254740992", "9007199254740993", "-9007199254740993",
		"99999999999999999", "0.0000000000000001", "0.123456789012345", "0.1234567890123456", "900719925474099.3", "123456789012345678",
	} {
		check(text)
	}
	digits := rapid.StringMatching(`-?[0-9]{1,18}(\.[0-9]{0,18})?`)
	rapid.Check(t, func(t *rapid.T) { check(digits.Draw(t, "text")) })
	short := rapid.StringMatching(`[-0-9.]{0,5}`)
	rapid.Check(t, func(t *rapid.T) { check(short.Draw(t, "text")) })
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

// Two plain texts have equal float64 exactly if they are equal as decimal numbers. As
// classes, their numbers can therefore stand for them.
func TestPlainNumbers(t *testing.T) {
	for _, s := range []string{"0", "7", "-7", " 7", "7.0", "7.00", "-0", "-0.0", "0.5", "-1.25", "9007199254740992", "9007199254740994", "100000000000000000000", "1e+21", "1e-07"} {
		require.True(t, dataset.IsPlain(s), "%q", s)
	}
	for _, s := range []string{
		"007", "00", "-07", "+1", "1e3", "1E3", "1.10", "1.", ".5", "00.5", "9007199254740993", "1234567890123456789", "1000000000000000000000", "9007199254740993.0",
		strings.Repeat("9", 400), "nan", "x", "", "1,000", "0x10",
	} {
		require.False(t, dataset.IsPlain(s), "%q", s)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{0,3})?(e[0-9])?`)
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		if !dataset.IsPlain(a) || !dataset.IsPlain(b) {
			return
		}
		exact := func(s string) *big.Rat { r, _ := new(big.Rat).SetString(s); return r }
		x, _ := dataset.ParseNumber(a)
		y, _ := dataset.ParseNumber(b)
		require.Equal(t, exact(a).Cmp(exact(b)) == 0, x == y, "%s and %s", a, b)
		require.Equal(t, dataset.FormatNumber(x) == dataset.FormatNumber(y), x == y, "%s and %s", a, b)
		require.True(t, dataset.IsPlain(dataset.FormatNumber(x)))
	})
}

func TestIdentifiers(t *testing.T) {
	for _, s := range []string{"007", "00", "-01", " 01 ", "9007199254740993", "-1234567890123456789", strings.Repeat("9", 400)} {
		require.True(t, dataset.IsIdentifier(s), "%q", s)
	}
	for _, s := range []string{"0", "-0", "7", "100", "9007199254740992", "9007199254740994", "007.5", "0.5", "1e3", "", "x", "-", "+"} {
		require.False(t, dataset.IsIdentifier(s), "%q", s)
	}
}

func TestParseGrouped(t *testing.T) {
	for text, want := range map[string]float64{"1,000": 1000, "-12,345.5": -12345.5, "+1,234,567": 1234567, " 999,999 ": 999999} {
		x, ok := dataset.ParseGrouped(text)
		require.True(t, ok, text)
		require.InDelta(t, want, x, 0, text)
	}
	for _, text := range []string{"", "1000", ",000", "1,00", "1,0000", "0,500", "1,000,", "1,,000", "1000,000", "1,000.5.5", "1.5,000", "--1,000", "$1,000", "1,00a", "1,000e3", "1,-00"} {
		_, ok := dataset.ParseGrouped(text)
		require.False(t, ok, text)
	}
}
