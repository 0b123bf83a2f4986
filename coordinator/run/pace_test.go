package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPaceWithinOnePercent(t *testing.T) {
	var p pace
	require.Nil(t, p.times(), "nothing was seen")
	for i := range 1000 {
		p.add(time.Duration(i+1)*time.Millisecond, 1)
	}
	p.add(0, 0)
	require.InEpsilon(t, 500, p.times().P50, 0.01)
	require.InEpsilon(t, 990, p.times().P99, 0.01)
}

func TestPaceOfStepsReportedTogether(t *testing.T) {
	var p pace
	p.add(40*time.Millisecond, 4)
	require.InEpsilon(t, 10, p.times().P50, 0.01)
}

func TestPaceBeyondItsBins(t *testing.T) {
	var p pace
	p.add(-time.Second, 1)
	p.add(time.Nanosecond, 1)
	require.InEpsilon(t, 0.001, p.times().P50, 0.02)
	p = pace{}
	p.add(10_000*time.Hour, 1)
	require.Greater(t, p.times().P99, 3.6e7, "ten hours")
}

func TestPaceLeavesOutWhatIsNoStep(t *testing.T) {
	var p pace
	p.observe(time.Second, false, 500) // taken over from another coordinator
	p.observe(time.Second+10*time.Millisecond, true, 1)
	p.observe(3*time.Second, true, 0)  // a tick
	p.observe(4*time.Second, false, 0) // an evaluation was in between
	p.observe(4*time.Second+10*time.Millisecond, true, 1)
	require.EqualValues(t, 2, p.count)
	require.InEpsilon(t, 10, p.times().P99, 0.01)
}

func TestTheMeanLeavesTheFirstStepsOut(t *testing.T) {
	p := pace{warm: 2}
	p.add(time.Second, 1)
	p.add(time.Second, 1)
	for range 8 {
		p.add(10*time.Millisecond, 1)
	}
	require.InDelta(t, 10, p.times().Mean, 1e-9)
}
