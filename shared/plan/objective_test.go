package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// classified is a plan of a table with the classes a and b, of which 2 and 8 rows train.
func classified(weights job.ClassWeights) *Plan {
	p := of(10, 4, 2, 3)
	p.Spec.Loss, p.Spec.ClassWeights = job.SoftmaxCrossEntropy, weights
	p.Spec.Model.Layers = []job.Layer{{Dense: &job.Dense{Units: 2}}}
	p.Dataset.Features, p.Dataset.Targets, p.Dataset.Classes = 1, 1, []string{"a", "b"}
	p.Dataset.ClassRows = []int64{2, 8}
	return p
}

// ratios returns the weights of the classes, relative to that of the second.
func ratio(t *testing.T, p *Plan) float64 {
	t.Helper()
	o, err := p.Objective()
	require.NoError(t, err)
	a, _ := o.Units([]float32{0})
	b, weighted := o.Units([]float32{1})
	require.True(t, weighted)
	return float64(a) / float64(b)
}

func TestClassWeightsOfAPlan(t *testing.T) {
	require.InDelta(t, 4, ratio(t, classified(job.ClassWeights{Balanced: true})), 1e-9)
	require.InDelta(t, 0.3, ratio(t, classified(job.ClassWeights{Of: map[string]float64{"a": 0.3}})), 1e-9)
	o, err := classified(job.ClassWeights{Balanced: true}).Objective()
	require.NoError(t, err)
	one, _ := o.Units([]float32{0})
	require.Equal(t, float32(2.5), o.Divisor(one), "10 / (2 · 2)")

	numbers := classified(job.ClassWeights{Of: map[string]float64{"1": 5}})
	numbers.Dataset.Classes = nil
	require.InDelta(t, 0.2, ratio(t, numbers), 1e-9, "classes without names")

	plain, err := classified(job.ClassWeights{}).Objective()
	require.NoError(t, err)
	_, weighted := plain.Units(nil)
	require.False(t, weighted)

	p := classified(job.ClassWeights{Of: map[string]float64{"bb": 1}})
	_, err = p.Objective()
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `class_weights: "bb": the label has no such class`)
	_, err = classified(job.ClassWeights{Of: map[string]float64{"a": 0, "b": 0}}).Objective()
	require.ErrorContains(t, err, "the greatest weight is 0")
	p = classified(job.ClassWeights{Balanced: true})
	p.Dataset.ClassRows = nil
	_, err = p.Objective()
	require.ErrorContains(t, err, "class_weights: balanced: the dataset does not have the rows of its 2 classes")
}

func TestRowWeightsOfAPlan(t *testing.T) {
	p := classified(job.ClassWeights{Balanced: true})
	p.Dataset.Weight, p.Dataset.Targets = &dataset.Weight{Name: "w", Greatest: 4}, 2
	o, err := p.Objective()
	require.NoError(t, err)
	sum, _ := o.Units([]float32{0, 4, 1, 2})
	require.Equal(t, float32(2.5*4+0.625*2), o.Divisor(sum))
	require.Equal(t, 2, o.Targets(2))
	fields, err := p.Fields()
	require.NoError(t, err)
	require.NoError(t, p.fit(fields, 1))
}
