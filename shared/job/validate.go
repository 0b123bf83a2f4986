package job

import "math"

// Validate reports every rule broken that takes more than one field to state,
// joined; each is a [Fault]. What one field alone may hold is the schema's
// affair (package spec checks both). The defaults must be filled in.
func (s *Spec) Validate() error {
	var fs faults
	s.validateLength(&fs)
	s.Data.validate(&fs, s.Loss)
	s.validateModel(&fs)
	s.validateSize(&fs, s.Data.Inline.features())
	s.Optimizer.validate(&fs)
	s.validateMetrics(&fs)
	s.validateWire(&fs)
	return fs.join()
}

// validateLength checks how long the job runs and how it is cut.
func (s *Spec) validateLength(fs *faults) {
	switch {
	case s.Epochs == 0 && s.Steps == 0:
		fs.at("epochs", "missing: want epochs or steps")
	case s.Epochs != 0 && s.Steps != 0:
		fs.at("steps", "%d: epochs is given as well, want one of them", s.Steps)
	}
	if s.Microbatches > s.Batch {
		fs.at("microbatches", "%d: want at most as many as rows in a batch, %d", s.Microbatches, s.Batch)
	}
	if e := s.Evaluate; e.EveryEpochs != 0 && e.EverySteps != 0 {
		fs.at("evaluate.every_steps", "%d: every_epochs is given as well, want one of them", e.EverySteps)
	}
}

// validateWire checks the fraction that a wire keeps.
func (s *Spec) validateWire(fs *faults) {
	if s.Wire != WireTopK && s.WireKeep != 0 {
		fs.at("wire_keep", "%v: want it with wire %s alone", s.WireKeep, WireTopK)
	}
}

// validateMetrics checks that the metrics are of what the loss predicts.
func (s *Spec) validateMetrics(fs *faults) {
	for i, m := range s.Metrics {
		if m.Classifies() == s.Loss.Classifies() {
			if units := s.outputs(); m == AUC && s.Loss == SoftmaxCrossEntropy && units != 2 {
				fs.at(index("metrics", i), "%q: it is of two classes, the last layer has %d units", m, units)
			}
			continue
		}
		want := list(RMSE, MAE, R2)
		if s.Loss.Classifies() {
			want = list(Accuracy, AUC, LogLoss)
		}
		fs.at(index("metrics", i), "%q: with loss %s want one of %s", m, s.Loss, commas(want))
	}
}

// outputs is the units of the last layer, 0 where there is none.
func (s *Spec) outputs() int {
	if n := len(s.Model.Layers); n > 0 && s.Model.Layers[n-1].Dense != nil {
		return s.Model.Layers[n-1].Dense.Units
	}
	return 0
}

// validate checks the settings after rounding to float32, in which the update
// computes.
func (o *Optimizer) validate(fs *faults) {
	kinds := 0
	if g := o.SGD; g != nil {
		kinds++
		positive32(fs, "optimizer.sgd.learning_rate", g.LearningRate)
		below32(fs, "optimizer.sgd.momentum", g.Momentum)
		clip32(fs, "optimizer.sgd.clip_norm", g.ClipNorm)
		if g.Nesterov && g.Momentum == 0 {
			fs.at("optimizer.sgd.nesterov", "true: want a momentum above 0 with it")
		}
	}
	for _, a := range []struct {
		path string
		*Adam
	}{{"optimizer.adam", o.Adam}, {"optimizer.adamw", o.AdamW}} {
		if a.Adam == nil {
			continue
		}
		kinds++
		positive32(fs, a.path+".learning_rate", a.LearningRate)
		below32(fs, a.path+".beta1", a.Beta1)
		below32(fs, a.path+".beta2", a.Beta2)
		positive32(fs, a.path+".epsilon", a.Epsilon)
		clip32(fs, a.path+".clip_norm", a.ClipNorm)
	}
	if kinds != 1 {
		fs.at("optimizer", "want exactly one of adam, adamw, sgd")
	}
}

func positive32(fs *faults, path string, x float64) {
	if f := float32(x); !(f > 0 && f <= math.MaxFloat32) {
		fs.at(path, "%v: want a number above 0 that a 32-bit float can hold", x)
	}
}

// clip32 accepts 0, which is none, and what positive32 does.
func clip32(fs *faults, path string, x float64) {
	if x != 0 {
		positive32(fs, path, x)
	}
}

func below32(fs *faults, path string, x float64) {
	if f := float32(x); !(f >= 0 && f < 1) {
		fs.at(path, "%v: want a number of at least 0 and below 1, also as a 32-bit float", x)
	}
}
