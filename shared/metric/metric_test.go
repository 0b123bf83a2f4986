package metric

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

func TestClassification(t *testing.T) {
	c := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 3, Metrics: []job.Metric{job.Accuracy, job.LogLoss, job.AUC, job.RMSE}}
	outputs := []float32{
		1, 2, 0, // class 1
		5, 5, 1, // a tie: the first, class 0
		0, 1, 9, // class 2
		nan, 1, 2, // none
	}
	u := c.unit(outputs, []float32{1, 0, 1, 2}, 4, 6)
	require.Equal(t, Figures{
		Values: map[string]float64{"loss": 1.5, "accuracy": 0.5, "log_loss": 1.5},
		Undefined: map[string]string{
			"auc":  "this metric needs two classes, there are 3",
			"rmse": "loss softmax_cross_entropy does not have this metric",
		},
	}, c.Combine([]*Sums{u}))
}

func TestSigmoidClassifies(t *testing.T) {
	c := Config{Objective: of(job.SigmoidCrossEntropy), Outputs: 1, Metrics: []job.Metric{job.Accuracy, job.AUC}}
	u := c.unit([]float32{-1, 0, 0.5, 2}, []float32{0, 0, 1, 0}, 4, 2)
	// 0 is not above 0, so class 0; of the three pairs the positive wins two.
	require.Equal(t, map[string]float64{"loss": 0.5, "accuracy": 0.75, "auc": 2.0 / 3}, c.Combine([]*Sums{u}).Values)
}

func TestRegressionIsInOriginalUnits(t *testing.T) {
	c := Config{
		Objective: of(job.MSE), Outputs: 1, Metrics: []job.Metric{job.RMSE, job.MAE, job.R2, job.Accuracy},
		Label: dataset.Column{Scale: 10, Shift: 100},
	}
	// Labels 110, 120, 130, 140; errors +10, −10, 0, +20.
	u := c.unit([]float32{2, 1, 3, 6}, []float32{1, 2, 3, 4}, 4, 6)
	got := c.Combine([]*Sums{u}).Values
	require.Len(t, got, 4)
	require.Equal(t, 1.5, got["loss"])
	require.InDelta(t, math.Sqrt(150), got["rmse"], 1e-12)
	require.InDelta(t, 10, got["mae"], 1e-12)
	require.InDelta(t, 1-600.0/500, got["r2"], 1e-12)
}

func TestLossThatIsASum(t *testing.T) {
	c := Config{Objective: of(job.HalfSquaredError), Outputs: 1}
	a, b := c.unit([]float32{1}, []float32{2}, 1, 0.5), c.unit([]float32{1, 1}, []float32{2, 2}, 2, 1)
	require.Equal(t, map[string]float64{"loss": 1.5}, c.Combine([]*Sums{a, b}).Values)
}

// Each requested figure is there, as a number or as a reason.
func TestUndefinedIsNamed(t *testing.T) {
	all := []job.Metric{job.Accuracy, job.RMSE, job.MAE, job.R2, job.AUC, job.LogLoss, "unheard of"}
	binary := Config{Objective: of(job.SigmoidCrossEntropy), Outputs: 1, Metrics: all, Classes: []string{"no", "yes"}}
	regression := Config{Objective: of(job.MSE), Outputs: 1, Metrics: all}
	classes := func(outputs, y []float32, loss float64) Figures {
		return binary.Combine([]*Sums{binary.unit(outputs, y, len(y), loss)})
	}
	numbers := func(label dataset.Column, outputs, y []float32, loss float64) Figures {
		c := regression
		c.Label = label
		return c.Combine([]*Sums{c.unit(outputs, y, len(y), loss)})
	}
	huge := dataset.Column{Scale: 1e200}
	for name, c := range map[string]struct {
		got    Figures
		values map[string]float64
		why    map[string]string // part of the reason
	}{
		"no units": {binary.Combine(nil), nil, map[string]string{
			"loss": "there are no rows", "accuracy": "there are no rows", "auc": "there are no rows", "log_loss": "there are no rows", "r2": "there are no rows",
		}},
		"no rows":    {numbers(huge, nil, nil, 0), nil, map[string]string{"loss": "there are no rows", "rmse": "there are no rows"}},
		"one class":  {classes([]float32{1, 2}, []float32{1, 1}, 1), map[string]float64{"loss": 0.5, "log_loss": 0.5, "accuracy": 1}, map[string]string{"auc": `all 2 rows are of class "yes"`}},
		"the other":  {classes([]float32{-1}, []float32{0}, 1), map[string]float64{"loss": 1, "log_loss": 1, "accuracy": 1}, map[string]string{"auc": `all 1 rows are of class "no"`}},
		"NaN score":  {classes([]float32{nan, 2}, []float32{0, 1}, math.NaN()), map[string]float64{"accuracy": 0.5}, map[string]string{"auc": "score is NaN", "loss": "NaN", "log_loss": "NaN"}},
		"a constant": {numbers(dataset.Column{}, []float32{1, 2}, []float32{3, 3}, 5), map[string]float64{"loss": 2.5, "mae": 1.5, "rmse": math.Sqrt(2.5)}, map[string]string{"r2": "of 2 labels from their mean, which are 0 or only rounding: the labels are all the same"}},
		"infinite":   {numbers(dataset.Column{}, []float32{inf, 2}, []float32{3, 4}, math.Inf(1)), nil, map[string]string{"loss": "+Inf", "rmse": "+Inf", "mae": "+Inf", "r2": "-Inf"}},
		"errors whose squares overflow": {
			numbers(huge, []float32{1, 2}, []float32{3, 5}, 13),
			map[string]float64{"loss": 6.5, "mae": 2.5e200},
			map[string]string{"rmse": "+Inf", "r2": "+Inf"},
		},
		"deviations that overflow": {
			numbers(huge, []float32{1, 2}, []float32{1, 2}, 0),
			map[string]float64{"loss": 0, "mae": 0, "rmse": 0},
			map[string]string{"r2": "+Inf"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for figure, v := range c.values {
				require.InEpsilon(t, 1+v, 1+c.got.Values[figure], 1e-12, figure)
			}
			require.Len(t, c.got.Values, len(c.values))
			require.Len(t, c.got.Undefined, 1+len(all)-len(c.values), "the others have a reason")
			for figure, part := range c.why {
				require.Contains(t, c.got.Undefined[figure], part, figure)
			}
		})
	}
}

// Labels have an R² even if the square of their mean overflows.
func TestR2OfALargeMean(t *testing.T) {
	c := Config{Objective: of(job.MSE), Outputs: 1, Metrics: []job.Metric{job.R2}, Label: dataset.Column{Scale: 1e140, Shift: 1e155}}
	f := c.Combine([]*Sums{c.unit([]float32{-1, 0, 0.5}, []float32{-1, 0, 1}, 3, 0)})
	require.InDelta(t, 1-0.25/2, f.Values["r2"], 1e-9)
	require.Nil(t, f.Undefined)
}

// R² equals its definition, over several outputs and any split into units.
func TestR2AgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, n := rapid.IntRange(2, 30).Draw(t, "rows"), rapid.IntRange(1, 3).Draw(t, "outputs")
		draw := func(name string) []float32 {
			return rapid.SliceOfN(rapid.Float32Range(-10, 10), rows*n, rows*n).Draw(t, name)
		}
		z, y := draw("z"), draw("y")
		c := Config{Objective: of(job.MSE), Outputs: n, Metrics: []job.Metric{job.R2, job.RMSE, job.MAE}}
		cut := rapid.IntRange(0, rows).Draw(t, "cut")
		units := []*Sums{c.unit(z[:cut*n], y[:cut*n], cut, 1), c.unit(z[cut*n:], y[cut*n:], rows-cut, 2)}

		var squared, abs, deviations float64
		for o := range n {
			mean := 0.0
			for r := range rows {
				mean += float64(y[r*n+o]) / float64(rows)
			}
			for r := range rows {
				e := float64(z[r*n+o]) - float64(y[r*n+o])
				squared, abs = squared+e*e, abs+math.Abs(e)
				deviations += (float64(y[r*n+o]) - mean) * (float64(y[r*n+o]) - mean)
			}
		}
		got := c.Combine(units).Values
		require.InDelta(t, math.Sqrt(squared/float64(rows*n)), got["rmse"], 1e-9)
		require.InDelta(t, abs/float64(rows*n), got["mae"], 1e-9)
		if deviations > 1e-3 {
			require.InDelta(t, 1-squared/deviations, got["r2"], 1e-6*(1+squared/deviations))
		}
	})
}

// AUC equals the count over every pair, with many ties, over any split into units, for one
// logit and for two.
func TestAUCAgainstPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 40).Draw(t, "rows")
		one, two, y := make([]float32, rows), make([]float32, 2*rows), make([]float32, rows)
		for r := range rows {
			one[r] = float32(rapid.IntRange(-3, 3).Draw(t, "score"))
			two[2*r] = float32(rapid.IntRange(-3, 3).Draw(t, "first"))
			two[2*r+1] = two[2*r] + one[r]
			y[r] = float32(rapid.IntRange(0, 1).Draw(t, "class"))
		}
		var wins, pairs float64
		for a := range rows {
			for b := range rows {
				if y[a] == 1 && y[b] == 0 {
					pairs++
					if one[a] > one[b] {
						wins++
					} else if one[a] == one[b] {
						wins += 0.5
					}
				}
			}
		}
		cut := rapid.IntRange(0, rows).Draw(t, "cut")
		for outputs, z := range map[int][]float32{1: one, 2: two} {
			c := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: outputs, Metrics: []job.Metric{job.AUC}}
			if outputs == 1 {
				c.Objective = of(job.SigmoidCrossEntropy)
			}
			got, ok := c.Combine([]*Sums{
				c.unit(z[:cut*outputs], y[:cut], cut, 0), c.unit(z[cut*outputs:], y[cut:], rows-cut, 0),
			}).Values["auc"]
			require.Equal(t, pairs > 0, ok)
			if ok {
				require.InDelta(t, wins/pairs, got, 1e-15)
			}
		}
	})
}

func TestCombineDoesNotChangeUnits(t *testing.T) {
	c := Config{Objective: of(job.SigmoidCrossEntropy), Outputs: 1, Metrics: []job.Metric{job.AUC}}
	units := []*Sums{c.unit([]float32{1, 2}, []float32{0, 1}, 2, 1), c.unit([]float32{3, -2}, []float32{0, 1}, 2, 1)}
	before := units[0].Encode()
	require.Equal(t, c.Combine(units), c.Combine(units))
	require.Equal(t, before, units[0].Encode())
}

// Labels that differ only by rounding have no R², like equal labels.
func TestR2OfLabelsThatVaryByRounding(t *testing.T) {
	c := Config{Objective: of(job.MSE), Metrics: []job.Metric{job.R2, job.RMSE}, Outputs: 1, Label: dataset.Column{Scale: 1e-17, Shift: 0.3}}
	y, outputs := []float32{0, 5, 0, 5}, []float32{0, 0, 5, 5}
	figures := c.Combine([]*Sums{c.unit(outputs, y, 4, 1)})
	require.Contains(t, figures.Undefined["r2"], "are all the same, vary by no more than rounding, or differ by less than 1e-162")
	require.NotContains(t, figures.Values, "r2")
	require.Contains(t, figures.Values, "rmse")

	tiny := c
	tiny.Label = dataset.Column{Scale: 1e-200}
	require.Equal(t, figures.Undefined["r2"], tiny.Combine([]*Sums{tiny.unit(outputs, y, 4, 1)}).Undefined["r2"], "the squares are 0")

	c.Label = dataset.Column{Scale: 1e-17}
	figures = c.Combine([]*Sums{c.unit(outputs, y, 4, 1)})
	require.InDelta(t, -1, figures.Values["r2"], 1e-9, "small labels vary as large ones do")
}
