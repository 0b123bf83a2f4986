package plan

import (
	"fmt"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/objective"
)

// Fields says which field of a sample the network reads, and which one the loss compares
// with the outputs. The numbers are places in Schema.
type Fields struct {
	Schema        dataset.Schema
	Input, Target int
	// Embedded are the last columns of a float table, which hold the numbers of categories.
	Embedded dataset.Embedding
}

// Fields returns the fields of the plan's dataset. It fails with job.ErrInvalid unless there
// are one input and one target.
func (p *Plan) Fields() (Fields, error) {
	f := Fields{Schema: p.Dataset.Schema(), Input: -1, Target: -1}
	for i, field := range f.Schema {
		role, at := "input", &f.Input
		if field.Target {
			role, at = "target", &f.Target
		}
		if *at >= 0 {
			return Fields{}, fmt.Errorf("data: fields %q and %q: want one %s: %w", f.Schema[*at].Name, field.Name, role, job.ErrInvalid)
		}
		*at = i
	}
	if f.Input < 0 || f.Target < 0 {
		return Fields{}, fmt.Errorf("data: %d fields: want an input and a target: %w", len(f.Schema), job.ErrInvalid)
	}
	if pre := p.Dataset.Preprocessing; pre != nil {
		f.Embedded = pre.Embedding()
	}
	return f, nil
}

// Model returns the inputs as the network reads them. The last dimension of a field's shape
// is the units, the others are the positions. Integers have a position each.
func (f Fields) Model() []model.Input {
	if e := f.Embedded; e.Columns > 0 {
		return model.Embedded(f.Schema[f.Input].Elements()-e.Columns, e.Columns, e.Rows, e.Units)
	}
	return []model.Input{f.input()}
}

// front returns the shape of what the first layer reads.
func (f Fields) front() model.Shape {
	if e := f.Embedded; e.Columns > 0 {
		return model.Shape{Positions: 1, Units: f.Schema[f.Input].Elements() - e.Columns + e.Columns*e.Units}
	}
	return f.input().Shape
}

func (f Fields) input() model.Input {
	field := &f.Schema[f.Input]
	in := model.Input{Name: field.Name, Shape: model.Shape{Positions: 1, Units: 1}, Integers: field.DType == dataset.Int32}
	dimensions := field.Shape
	if n := len(dimensions); n > 0 && !in.Integers {
		dimensions, in.Shape.Units = dimensions[:n-1], dimensions[n-1]
	}
	for _, d := range dimensions {
		in.Shape.Positions *= d
	}
	return in
}

// fit fails with job.ErrInvalid if the output of the network does not fit the loss or the
// target. last is the place of the last layer in the spec.
func (f Fields) fit(of objective.Objective, last string, out model.Shape, classes int) error {
	field := &f.Schema[f.Target]
	elements := field.Elements()
	terms, outputs := objective.Terms(of, out.Positions, out.Units)
	label := objective.Label{Classes: classes, Columns: elements}
	if field.DType != dataset.Float32 && classes == 0 {
		if label.Classes = of.Classes(out.Units); label.Classes == 0 {
			return fmt.Errorf("loss: %s: field %q has integers, which are classes: want a loss for classes: %w", of.Loss(), field.Name, job.ErrInvalid)
		}
	}
	if err := of.Fit(last, outputs, label); err != nil {
		return err
	}
	switch {
	case terms*of.Targets(outputs) != elements:
		return fmt.Errorf("%s: outputs at %d positions, %d numbers of field %q: want as many: %w", last, out.Positions, elements, field.Name, job.ErrInvalid)
	case field.Masked && !of.HasTerms():
		return fmt.Errorf("loss: %s: field %q is masked: want %s: %w", of.Loss(), field.Name, job.SoftmaxCrossEntropy, job.ErrInvalid)
	}
	return nil
}
