package main

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/deployments/bench/fleet"
	"tributary/worker/compute"
)

// reading returns a reading after so many milliseconds, when each of two workers has
// computed so many nodes, 3 ms each.
func reading(ms, nodes float64) *fleet.Reading {
	return &fleet.Reading{
		At:     time.UnixMilli(int64(ms)),
		Phases: map[compute.Phase]fleet.PhaseTimes{compute.Computing: {Seconds: 2 * nodes * 3e-3, Count: 2 * nodes}},
		CPU:    map[string]float64{"worker": 2 * nodes * 4e-3, "redis-server": nodes * 1e-3},
		Busy:   nodes * 9.6e-3, In: 2e6 * nodes, Out: 1e6 * nodes,
	}
}

func TestWindowIsTheMiddleOfATraining(t *testing.T) {
	var w window
	for i := range 101 {
		w.take(reading(float64(10*i), float64(i)), 100, 2)
	}
	require.Equal(t, reading(500, 50), w.first)
	require.Equal(t, reading(950, 95), w.last)
	require.InDelta(t, 45, w.steps, 1e-9)

	idle := 10*float64(runtime.NumCPU()) - 9.6
	cells := strings.Split(w.row(scenario{of: "x", workers: 2, slots: 1}), " | ")
	require.Equal(t, []string{"| x 2×1", "10", "0.000", "0.000", "3.0", "0.000", "0.000", "0.000", "0.000", "8.0", "1.0", "0.000", "0.600", digits(idle), "2.0", "1.0 |\n"}, cells)
	_, table, _ := strings.Cut(head(), "\n\n")
	titles, _, _ := strings.Cut(table, "\n")
	require.Len(t, strings.Split(titles, " | "), len(cells))
}

func TestShortTrainingHasNoWindow(t *testing.T) {
	var w window
	w.take(reading(0, 0), 100, 2)
	w.take(reading(10, 96), 100, 2)
	require.Nil(t, w.first)
}
