package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// steps is a CSV file of 20 rows with a = base + i·step in column a, and y = i.
func steps(base, step float64) sources {
	var b strings.Builder
	b.WriteString("a,y\n")
	for i := range 20 {
		fmt.Fprintf(&b, "%.6f,%d\n", base+float64(i)*step, i)
	}
	return sources{"in": []byte(b.String())}
}

// Times in seconds since 1970 that differ by less than two minutes become one feature
// unless they are scaled.
func TestFeaturesThatRoundingMakesEqualAreNoted(t *testing.T) {
	const lost = "that 32-bit floats hardly keep them apart"
	for _, scale := range []job.Scale{{}, {Method: "divide", Divide: 1000}} {
		spec := csvSpec()
		spec.Data.Transform.Scale = scale
		o := mustRun(t, spec, steps(1.7e9, 3))
		require.Contains(t, o.said, `column "a": its values lie so close together, from 1.7e+09 to 1.700000057e+09, `+lost+": use data.transform.scale: standard")
		for _, from := range []sources{steps(0, 3), steps(100_000, 1), steps(0.1, 0.01), steps(1.7e9, 86400), steps(5, 0)} {
			require.NotContains(t, strings.Join(mustRun(t, spec, from).said, "\n"), lost)
		}
	}
	for _, method := range []string{"standard", "minmax"} {
		spec := csvSpec()
		spec.Data.Transform.Scale.Method = method
		o := mustRun(t, spec, steps(1.7e9, 3))
		require.NotContains(t, strings.Join(o.said, "\n"), lost)
		require.NotEqual(t, o.x[job.Train][0], o.x[job.Train][1])
	}
}

// A label is refused if its targets would be constant, and noted if they would be nearly
// constant. A scaled label keeps its digits, and predictions are in float64.
func TestLabelsThatRoundingMakesEqual(t *testing.T) {
	of := func(base int) sources {
		var b strings.Builder
		b.WriteString("a,y\n")
		for i := range 20 {
			fmt.Fprintf(&b, "%d,%d\n", i, base+i)
		}
		return sources{"in": []byte(b.String())}
	}
	_, err := run(t, csvSpec(), of(1<<40))
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `label "y": its values, from 1.099511627776e+12 to 1.099511627795e+12, are all one 32-bit float: use data.transform.label: standard`)
	o := mustRun(t, csvSpec(), of(1<<27))
	require.Contains(t, strings.Join(o.said, "\n"), `label "y": its values lie so close together`)
	o = mustRun(t, csvSpec(), of(1<<20))
	require.NotContains(t, strings.Join(o.said, "\n"), "lie so close")

	spec := csvSpec()
	spec.Data.Transform.Label.Method = "standard"
	o = mustRun(t, spec, of(1<<40))
	for i, y := range o.y[job.Train] {
		require.InDelta(t, 1<<40+i, o.Preprocessing.Label.Unscale(y[0]), 1e-3)
	}

	_, err = run(t, inlineSpec(job.MSE, `[1,2]`, `[[1099511627776,1],[1099511627777,2]]`), nil)
	require.ErrorContains(t, err, "are all one 32-bit float: subtract a constant from the values before you write the file")
}
