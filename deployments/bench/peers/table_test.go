package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// measured returns a result with runs of so many samples per second.
func measured(k configuration, parameters string, loss float64, samples ...float64) result {
	r := result{configuration: k}
	for _, s := range samples {
		r.runs = append(r.runs, run{Case: k.of, Configuration: k.label(), Samples: s, MS: 1e3 / s, TrainLoss: &loss, Parameters: parameters})
	}
	return r
}

var (
	one   = configuration{of: "b", ours: &ours{workers: 1, slots: 2, microbatches: 2}}
	two   = configuration{of: "b", ours: &ours{workers: 2, slots: 1, microbatches: 2}}
	finer = configuration{of: "b", ours: &ours{workers: 2, slots: 1, microbatches: 16}}
	slow  = configuration{of: "b", torch: &torch{processes: 1, threads: 1}}
	fast  = configuration{of: "b", torch: &torch{processes: 2, threads: 1, sync: "ddp"}}
)

func TestRatiosAreOfTheFastestPeersMedian(t *testing.T) {
	text := table([]result{
		measured(one, "x", 0.1, 3000, 1500, 9000),
		measured(slow, "", 0.1, 1000),
		measured(fast, "", 0.1, 1000, 2000, 3000),
	})
	lines := strings.Split(text, "\n")
	require.Contains(t, lines[2], "| b | tributary 1×2 M2 | 3,000 (1,500–9,000) | 0.333 | – | – | 1.50 | 0.1000 |")
	require.Contains(t, lines[3], "| b | torch 1×1 | 1,000 (1,000–1,000) | 1.000 | – | – | 0.50 |")
	require.Contains(t, lines[4], "| b | torch DDP 2×1 | 2,000 (1,000–3,000) | 0.500 | – | – | 1.00 |")
}

func TestOneSpecHasOneResult(t *testing.T) {
	require.NoError(t, agree([]result{measured(one, "x", 0.1, 1, 1), measured(two, "x", 0.1, 1), measured(finer, "y", 0.1, 1)}), "another spec")
	err := agree([]result{measured(one, "x", 0.1, 1), measured(two, "y", 0.1, 1)})
	require.ErrorContains(t, err, "b M2: tributary 1×2 M2 has parameters x, tributary 2×1 M2 has y")
}

func TestLossesAgreeRoughly(t *testing.T) {
	require.NoError(t, agree([]result{measured(one, "x", 0.10, 1), measured(slow, "", 0.14, 1)}))
	require.ErrorContains(t, agree([]result{measured(one, "x", 0.1, 1), measured(slow, "", 0.3, 1)}), "train loss")
}

func TestNamesAreUnique(t *testing.T) {
	for _, short := range []bool{false, true} {
		seen := map[string]bool{}
		for _, k := range configurations(2, short) {
			require.False(t, seen[k.name()], k.name())
			seen[k.name()] = true
		}
		require.Len(t, seen, 26)
	}
}
