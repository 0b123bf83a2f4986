package chart_test

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/deployments/bench/chart"
)

var lines = chart.Lines{
	Title: "Steps", X: "workers", Y: "ms", LogX: true, LogY: true,
	Lines: []chart.Line{
		{Name: "one", Points: []chart.Point{{X: 1, Y: 2}, {X: 1000, Y: 3456.7}}},
		{Name: "two", Points: []chart.Point{{X: 1, Y: 0.25}}},
	},
}

var bars = chart.Bars{Title: "Samples", Unit: "per second", Bars: []chart.Bar{{Name: "a", Low: 1, Middle: 2, High: 3}, {Name: "b", Middle: 12_000, High: 12_000, Kind: 1}}}

func TestPictures(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "picture.svg")
	require.NoError(t, chart.Write[chart.Panel](file, lines, bars))
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	for d := xml.NewDecoder(strings.NewReader(string(data))); ; {
		if _, err = d.Token(); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, io.EOF, "well-formed")
	for _, word := range []string{"Steps", "workers", "one", "two", "Samples", "per second", "12 k"} {
		require.Contains(t, string(data), word)
	}
}

// A picture without any points, or without points above zero, can be drawn too.
func TestZerosOnALogarithmicAxis(t *testing.T) {
	file := filepath.Join(t.TempDir(), "picture.svg")
	some := lines
	some.Lines = append(some.Lines, chart.Line{Name: "idle", Points: []chart.Point{{X: 1}, {X: 10, Y: 3}}}, chart.Line{Name: "never", Points: []chart.Point{{X: 1}}})
	none := lines
	none.Lines = []chart.Line{{Name: "never", Points: []chart.Point{{X: 1}, {X: 0, Y: 1}}}}
	require.NoError(t, chart.Write(file, some, none))
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(data), "idle")
	require.NotContains(t, string(data), "never")
	require.NotContains(t, string(data), "NaN")
	require.NotContains(t, string(data), "Inf")
}

func TestTables(t *testing.T) {
	require.Contains(t, lines.Table(), "| 1 | 2.00 | 0.25 |\n| 1,000 | 3,457 | – |\n")
	require.Contains(t, bars.Table(), "| a | 2.00 (1.00–3.00) |\n")
}
