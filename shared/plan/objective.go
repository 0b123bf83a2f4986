package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"tributary/shared/hint"
	"tributary/shared/job"
	"tributary/shared/objective"
)

// Objective returns the objective of the job, with the weights of classes and rows. It fails
// with job.ErrInvalid if they do not fit the dataset.
func (p *Plan) Objective() (objective.Objective, error) {
	of, err := objective.For(&p.Spec)
	if err != nil {
		return nil, err
	}
	w := objective.Weights{}
	if w.Classes, err = p.classWeights(of); err != nil {
		return nil, err
	}
	if weight := p.Dataset.Weight; weight != nil {
		w.Samples, w.Greatest = true, weight.Greatest
	}
	if w.Classes == nil && !w.Samples {
		return of, nil
	}
	f, err := p.Fields()
	if err != nil {
		return nil, err
	}
	// Every term has one class. The numbers of a regression are one term, and so is a row
	// with a weight.
	terms, targets := f.Schema[f.Target].Elements(), 1
	if of.Classes(p.units()) == 0 {
		terms, targets = 1, p.units()
	}
	if w.Samples {
		terms = 1
	}
	of, err = objective.Weigh(of, w, terms, targets)
	if err != nil {
		return nil, fmt.Errorf("class_weights or data.weight: %w", err)
	}
	return of, nil
}

// classWeights returns the weight of each class; nil if all are 1.
func (p *Plan) classWeights(of objective.Objective) ([]float64, error) {
	s, names := p.Spec.ClassWeights, p.Dataset.Classes
	if s.IsZero() {
		return nil, nil
	}
	if len(names) == 0 { // the target has integers without names
		for i := range of.Classes(p.units()) {
			names = append(names, strconv.Itoa(i))
		}
	}
	weights := make([]float64, len(names))
	if s.Balanced {
		if len(p.Dataset.ClassRows) != len(names) {
			return nil, fmt.Errorf("class_weights: balanced: the dataset does not have the rows of its %d classes: %w", len(names), job.ErrInvalid)
		}
		for i, n := range p.Dataset.ClassRows {
			weights[i] = float64(p.TrainRows()) / float64(float64(len(names))*float64(n))
		}
		return weights, nil
	}
	for i := range weights {
		weights[i] = 1
	}
	for _, name := range slices.Sorted(maps.Keys(s.Of)) {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, fmt.Errorf("class_weights: %.80q: the label has no such class%s: %w", name, hint.For(name, names), job.ErrInvalid)
		}
		weights[i] = s.Of[name]
	}
	return weights, nil
}
