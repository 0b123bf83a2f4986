package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// tenths has a column c that is 0.1 in some rows and missing in others. A plain mean of
// that many tenths is not 0.1.
func tenths(rows int, label func(i int) string) sources {
	var b strings.Builder
	b.WriteString("a,c,y\n")
	for i := range rows {
		c := "0.1"
		if i%4 == 3 {
			c = ""
		}
		fmt.Fprintf(&b, "%d,%s,%s\n", i, c, label(i))
	}
	return sources{"in": []byte(b.String())}
}

// The expected values are those of scikit-learn: SimpleImputer, then StandardScaler or
// MinMaxScaler, give a constant column scale 1 and feature 0.
func TestAConstantColumnIsConstantAfterItsFill(t *testing.T) {
	from := tenths(40, func(i int) string { return fmt.Sprint(3 * i) })
	for _, missing := range []string{"mean", "median"} {
		for _, scale := range []string{"standard", "minmax"} {
			spec := csvSpec()
			spec.Data.Clean.Missing.Method, spec.Data.Transform.Scale.Method = missing, scale
			o := mustRun(t, spec, from)
			c := o.Preprocessing.Columns[1]
			require.Equal(t, [3]float64{0.1, 0.1, 1}, [3]float64{*c.Fill, c.Shift, c.Scale}, "%s, %s", missing, scale)
			for _, x := range o.column(job.Train, 1) {
				require.Zero(t, x)
			}
		}
	}
}

// Numbers that differ only by rounding, like 0.1 + 0.2 and 0.3, are also constant, and a
// note says so.
func TestAColumnThatVariesByRounding(t *testing.T) {
	var b strings.Builder
	b.WriteString("a,y\n")
	for i := range 20 {
		fmt.Fprintf(&b, "%v,%d\n", []string{"0.3", "0.30000000000000004"}[i%2], i)
	}
	for _, scale := range []string{"standard", "minmax"} {
		spec := csvSpec()
		spec.Data.Transform.Scale.Method = scale
		o := mustRun(t, spec, sources{"in": []byte(b.String())})
		require.EqualValues(t, 1, o.Preprocessing.Columns[0].Scale)
		require.Contains(t, o.said, `column "a" varies by no more than rounding, from 0.3 to 0.30000000000000004, and is not scaled`)
	}
}

// A column that varies is scaled, however small or far from 0 its values are.
func TestAColumnThatVariesIsScaled(t *testing.T) {
	for _, values := range [][2]string{{"1e-20", "2e-20"}, {"1700000000", "1700000001"}, {"-1e-300", "1e-300"}, {"1000000.001", "1000000.002"}} {
		spec := csvSpec()
		spec.Data.Transform.Scale.Method = "minmax"
		o := mustRun(t, spec, sources{"in": []byte("a,y\n" + values[0] + ",1\n" + values[1] + ",2\n")})
		require.Equal(t, []float64{0, 1}, o.column(job.Train, 0), values)
	}
	for _, values := range [][2]string{{"1e-20", "3e-20"}, {"1700000000", "1700000002"}} {
		spec := csvSpec()
		spec.Data.Transform.Scale.Method = "standard"
		o := mustRun(t, spec, sources{"in": []byte("a,y\n" + values[0] + ",1\n" + values[1] + ",2\n")})
		require.Equal(t, []float64{-1, 1}, o.column(job.Train, 0), values)
	}
}

// The same rule applies to a label.
func TestALabelThatVariesByRounding(t *testing.T) {
	_, err := run(t, csvSpec(), sources{"in": []byte("a,y\n1,0.3\n2,0.30000000000000004\n")})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `label "y": it varies by no more than rounding, from 0.3 to 0.30000000000000004`)
}
