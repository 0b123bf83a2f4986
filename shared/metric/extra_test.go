package metric

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// By hand. Rows of classes 0, 0, 1, 2, 2, predicted as 0, 1, 1, none, 0:
//
//	class      right  predicted  actual  precision  recall  F1
//	0          1      2          2       1/2        1/2     2/4
//	1          1      2          1       1/2        1       2/3
//	2          0      0          2       0          0       0
func TestMeansOverClasses(t *testing.T) {
	c := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 3, Metrics: []job.Metric{job.Precision, job.Recall, job.F1}, Classes: []string{"a", "b", "c"}}
	z := []float32{2, 1, 0, 0, 1, 0, 0, 3, 3, 1, 2, nan, 5, 5, 5}
	y := []float32{0, 0, 1, 2, 2}
	for cut := range 6 { // over any split into units
		f := c.Combine([]*Sums{c.unit(z[:3*cut], y[:cut], cut, 0), c.unit(z[3*cut:], y[cut:], 5-cut, 0)})
		require.Nil(t, f.Undefined)
		require.InDelta(t, (0.5+0.5+0)/3, f.Values["precision"], 1e-15)
		require.InDelta(t, (0.5+1+0)/3, f.Values["recall"], 1e-15)
		require.InDelta(t, (0.5+2.0/3+0)/3, f.Values["f1"], 1e-15)
	}
	f := c.Combine([]*Sums{c.unit(z[:9], y[:3], 3, 0)})
	for _, m := range c.Metrics {
		require.Equal(t, `it divides by the rows of class "c", and none of the 3 rows is of it`, f.Undefined[string(m)])
		require.NotContains(t, f.Values, string(m))
	}
	require.Equal(t, "there are no rows", c.Combine(nil).Undefined["f1"])
	c.Classes = nil
	require.Contains(t, c.Combine([]*Sums{c.unit(z[9:], y[3:], 2, 0)}).Undefined["recall"], "class 0 of 0 to 2")
}

// The means over the classes equal their definitions, over any split into units.
func TestMeansOverClassesAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, rows := rapid.IntRange(2, 7).Draw(t, "classes"), rapid.IntRange(1, 60).Draw(t, "rows")
		z, y := make([]float32, classes*rows), make([]float32, rows)
		for i := range z {
			z[i] = float32(rapid.IntRange(-3, 3).Draw(t, "z"))
		}
		for i := range y {
			y[i] = float32(rapid.IntRange(0, classes-1).Draw(t, "y"))
		}
		c := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: classes, Metrics: []job.Metric{job.Precision, job.Recall, job.F1}}
		var precision, recall, f1 float64
		whole := true
		for class := range classes {
			var right, predicted, actual float64
			for r := range rows {
				p, a := c.Objective.Class(z[r*classes:(r+1)*classes]) == class, int(y[r]) == class
				if p {
					predicted++
				}
				if a {
					actual++
				}
				if p && a {
					right++
				}
			}
			whole = whole && actual > 0
			p, r := 0.0, right/actual
			if predicted > 0 {
				p = right / predicted
			}
			precision, recall = precision+p, recall+r
			if p+r > 0 {
				f1 += 2 * p * r / (p + r)
			}
		}
		cut := rapid.IntRange(0, rows).Draw(t, "cut")
		f := c.Combine([]*Sums{c.unit(z[:cut*classes], y[:cut], cut, 0), c.unit(z[cut*classes:], y[cut:], rows-cut, 0)})
		require.Equal(t, whole, len(f.Undefined) == 0)
		if whole {
			require.InDelta(t, precision/float64(classes), f.Values["precision"], 1e-12)
			require.InDelta(t, recall/float64(classes), f.Values["recall"], 1e-12)
			require.InDelta(t, f1/float64(classes), f.Values["f1"], 1e-12)
		}
	})
}

func TestTop5(t *testing.T) {
	c := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 7, Metrics: []job.Metric{job.Top5, job.Accuracy}}
	z := []float32{
		7, 6, 5, 4, 3, 2, 1, // class 4 is the fifth
		7, 6, 5, 4, 3, 2, 1, // class 5 is the sixth
		0, 0, 0, 0, 0, 0, 0, // of equal ones the first come first
		0, 0, 0, 0, 0, 0, 0,
		9, 0, 0, 0, 0, 0, nan, // no rank
	}
	f := c.Combine([]*Sums{c.unit(z, []float32{4, 5, 4, 5, 0}, 5, 0)})
	require.Equal(t, map[string]float64{"loss": 0, "accuracy": 0, "top_5_accuracy": 0.4}, f.Values)
	c.Outputs = 5
	f = c.Combine([]*Sums{c.unit(z[:5], []float32{4}, 1, 0)})
	require.Equal(t, "this metric needs more than 5 classes, there are 5", f.Undefined["top_5_accuracy"])
}

// σ(0) = ½ and σ(ln 3) = ¾: (½² + ¼² + ¾²)/3.
func TestBrier(t *testing.T) {
	ln3 := float32(math.Log(3))
	want := (0.25 + 0.0625 + 0.5625) / 3
	one := Config{Objective: of(job.SigmoidCrossEntropy), Outputs: 1, Metrics: []job.Metric{job.Brier}}
	f := one.Combine([]*Sums{one.unit([]float32{0, ln3, ln3}, []float32{1, 1, 0}, 3, 0)})
	require.InDelta(t, want, f.Values["brier"], 1e-7)
	two := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 2, Metrics: []job.Metric{job.Brier}}
	f = two.Combine([]*Sums{two.unit([]float32{4, 4, 0, ln3, 1, 1 + ln3}, []float32{1, 1, 0}, 3, 0)})
	require.InDelta(t, want, f.Values["brier"], 1e-6)
	two.Outputs = 3
	f = two.Combine([]*Sums{two.unit([]float32{4, 4, 0}, []float32{1}, 1, 0)})
	require.Equal(t, "this metric needs two classes, there are 3", f.Undefined["brier"])
}

func TestMAPE(t *testing.T) {
	c := Config{Objective: of(job.MSE), Outputs: 1, Metrics: []job.Metric{job.MAPE}, Label: dataset.Column{Scale: 10, Shift: 100}}
	// Labels 110, 120, 50; errors +11, −12, +25: ten, ten and fifty percent.
	f := c.Combine([]*Sums{c.unit([]float32{2.1, 0.8, -2.5}, []float32{1, 2, -5}, 3, 0)})
	require.InDelta(t, (0.1+0.1+0.5)/3, f.Values["mape"], 1e-7)
	// A label of 0 is −10, and one of 1e-6 more is −10 in float32.
	f = c.Combine([]*Sums{c.unit([]float32{2, 1}, []float32{1, -10}, 2, 0)})
	require.Equal(t, "it divides by the labels, and 1 of them are 0 (up to the rounding of 32-bit floats)", f.Undefined["mape"])
	c.Label = dataset.Column{Scale: 0.3, Shift: 0.7}
	f = c.Combine([]*Sums{c.unit([]float32{2, 1}, []float32{1, float32(-0.7 / 0.3)}, 2, 0)})
	require.Contains(t, f.Undefined["mape"], "1 of them are 0")
	c.Label = dataset.Column{}
	f = c.Combine([]*Sums{c.unit([]float32{2, 1}, []float32{1, 1e-30}, 2, 0)})
	require.InEpsilon(t, (1+1e30)/2, f.Values["mape"], 1e-6)
}

// The log loss of smoothed labels is that of the labels, and the loss is not.
func TestLogLossOfSmoothedLabels(t *testing.T) {
	c := Config{Objective: smooth(0.2), Outputs: 2, Metrics: []job.Metric{job.LogLoss}}
	count := func(z, y []float32) *Sums {
		k := c.Count()
		k.Add(z, y, len(y))
		return k.Sums()
	}
	ln3 := float32(math.Log(3))
	f := c.Combine([]*Sums{count([]float32{0, ln3}, []float32{1}), count([]float32{0, ln3}, []float32{0})})
	right, wrong := math.Log(4.0/3), math.Log(4)
	require.InDelta(t, (right+wrong)/2, f.Values["log_loss"], 1e-7)
	require.InDelta(t, (0.9*right+0.1*wrong+0.9*wrong+0.1*right)/2, f.Values["loss"], 1e-7)
	f = c.Combine([]*Sums{count([]float32{0, ln3}, []float32{1})})
	require.InDelta(t, right, f.Values["log_loss"], 1e-7)
	require.InDelta(t, 0.9*right+0.1*wrong, f.Values["loss"], 1e-7)
}

// The figures of a Poisson regression are of the rates e^z.
func TestPoissonFiguresAreOfRates(t *testing.T) {
	c := Config{Objective: of(job.Poisson), Outputs: 1, Metrics: []job.Metric{job.MAE, job.MAPE}}
	z := []float32{0, float32(math.Log(3))}
	f := c.Combine([]*Sums{c.unit(z, []float32{2, 4}, 2, 0)})
	require.InDelta(t, 1, f.Values["mae"], 1e-6)
	require.InDelta(t, (0.5+0.25)/2, f.Values["mape"], 1e-6)
	require.Equal(t, float32(0), z[0], "the outputs are not changed")
}

// The figures equal scikit-learn's (testdata/make_sklearn.py).
func TestFiguresAreScikitLearns(t *testing.T) {
	text, err := os.ReadFile("testdata/sklearn.json")
	require.NoError(t, err)
	var fixture struct {
		Cases []struct {
			Name    string
			Loss    job.Loss
			Outputs int
			Z, Y    []float32
			Figures map[string]float64
			Matrix  [][]int64
			Each    [][4]float64 // of each class: precision, recall, F1, rows
		}
	}
	require.NoError(t, json.Unmarshal(text, &fixture))
	require.Len(t, fixture.Cases, 5)
	for _, f := range fixture.Cases {
		t.Run(f.Name, func(t *testing.T) {
			c := Config{Objective: of(f.Loss), Outputs: f.Outputs}
			for name := range f.Figures {
				c.Metrics = append(c.Metrics, job.Metric(name))
			}
			if f.Matrix != nil {
				c.Metrics = append(c.Metrics, job.ConfusionMatrix)
			}
			rows := len(f.Z) / f.Outputs
			k, rest := c.Count(), c.Count()
			k.Add(f.Z[:16*f.Outputs], f.Y[:16*len(f.Y)/rows], 16)
			rest.Add(f.Z[16*f.Outputs:], f.Y[16*len(f.Y)/rows:], rows-16)
			got := c.Combine([]*Sums{k.Sums(), rest.Sums()})
			require.Nil(t, got.Undefined)
			require.Equal(t, f.Matrix == nil, got.Confusion == nil)
			require.NotContains(t, got.Values, "confusion_matrix")
			if f.Matrix != nil {
				require.Equal(t, f.Matrix, got.Confusion.Matrix)
				for i, want := range f.Each {
					figures := got.Confusion.Classes[i]
					require.InDeltaSlice(t, want[:], []float64{figures.Precision, *figures.Recall, *figures.F1, float64(figures.Rows)}, 1e-12)
				}
			}
			for name, want := range f.Figures {
				require.InEpsilon(t, want, got.Values[name], 1e-6, name)
			}
		})
	}
}

// Without rows of the second class, average precision has no value. Scores that are equal are
// one threshold: ½·½ + ½·⅔ by hand.
func TestAveragePrecision(t *testing.T) {
	c := Config{Objective: of(job.SigmoidCrossEntropy), Outputs: 1, Metrics: []job.Metric{job.AveragePrecision}, Classes: []string{"bad", "good"}}
	require.Equal(t, byte(2), c.unit([]float32{1}, []float32{1}, 1, 0).Encode()[3])
	f := c.Combine([]*Sums{c.unit([]float32{3, 3, 1}, []float32{1, 0, 1}, 3, 0)})
	require.InDelta(t, 0.5*0.5+0.5*2/3, f.Values["average_precision"], 1e-15)
	f = c.Combine([]*Sums{c.unit([]float32{3, 1}, []float32{0, 0}, 2, 0)})
	require.Equal(t, `all 2 rows are of class "bad": want rows of the other one`, f.Undefined["average_precision"])
	f = c.Combine([]*Sums{c.unit([]float32{3, nan}, []float32{0, 1}, 2, 0)})
	require.Contains(t, f.Undefined["average_precision"], "NaN")
}

// A row whose outputs are not numbers is in no cell. A class without rows has no recall.
func TestConfusionMatrixOfNaN(t *testing.T) {
	c := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 3, Metrics: []job.Metric{job.ConfusionMatrix}}
	f := c.Combine([]*Sums{c.unit([]float32{1, 2, 0, nan, 0, 0}, []float32{0, 2}, 2, 0)})
	require.Nil(t, f.Undefined)
	require.Equal(t, [][]int64{{0, 1, 0}, {0, 0, 0}, {0, 0, 0}}, f.Confusion.Matrix)
	require.Nil(t, f.Confusion.Classes[1].Recall)
	require.Zero(t, *f.Confusion.Classes[2].Recall)
	require.Equal(t, int64(1), f.Confusion.Classes[2].Rows)
	require.Contains(t, c.Combine(nil).Undefined["confusion_matrix"], "no rows")
}
