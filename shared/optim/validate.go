package optim

import (
	"errors"
	"fmt"
	"math"

	"tributary/shared/job"
)

// validate returns every fault of o, joined.
func validate(o job.Optimizer) error {
	kinds := 0
	for _, set := range []bool{o.SGD != nil, o.Adam != nil, o.AdamW != nil} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return fmt.Errorf("optimizer: %d kinds: want exactly one of sgd, adam, adamw: %w", kinds, job.ErrInvalid)
	}
	switch {
	case o.SGD != nil:
		return validateSGD(*o.SGD)
	case o.Adam != nil:
		return validateAdam("adam", *o.Adam)
	default:
		return validateAdam("adamw", *o.AdamW)
	}
}

func validateSGD(s job.SGD) error {
	errs := []error{
		positive("sgd.learning_rate", s.LearningRate),
		fraction("sgd.momentum", s.Momentum),
		notNegative("sgd.weight_decay", s.WeightDecay),
		norm("sgd.clip_norm", s.ClipNorm),
	}
	if s.Nesterov && s.Momentum == 0 {
		errs = append(errs, fault("sgd.nesterov", true, "a momentum above 0 with it"))
	}
	return errors.Join(errs...)
}

func validateAdam(kind string, a job.Adam) error {
	return errors.Join(
		positive(kind+".learning_rate", a.LearningRate),
		fraction(kind+".beta1", a.Beta1),
		fraction(kind+".beta2", a.Beta2),
		positive(kind+".epsilon", a.Epsilon),
		notNegative(kind+".weight_decay", a.WeightDecay),
		norm(kind+".clip_norm", a.ClipNorm),
	)
}

func fault(field string, got any, want string) error {
	return fmt.Errorf("optimizer.%s: %v: want %s: %w", field, got, want, job.ErrInvalid)
}

// The bounds hold after rounding to float32, in which the update computes.

func positive(field string, v float64) error {
	if f := float32(v); f > 0 && f <= math.MaxFloat32 {
		return nil
	}
	return fault(field, v, "a number above 0 that a float32 can hold")
}

func notNegative(field string, v float64) error {
	if f := float32(v); v >= 0 && f <= math.MaxFloat32 {
		return nil
	}
	return fault(field, v, "a finite number of at least 0")
}

// norm accepts 0, which is none, and what positive does.
func norm(field string, v float64) error {
	if v == 0 {
		return nil
	}
	return positive(field, v)
}

func fraction(field string, v float64) error {
	if v >= 0 && float32(v) < 1 {
		return nil
	}
	return fault(field, v, "at least 0 and below 1")
}
