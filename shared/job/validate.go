package job

// Validate checks the rules that involve more than one field. It returns all faults
// joined; each is a [Fault]. The schema covers the rules for a single field (package spec
// checks both). The defaults must be filled in.
func (s *Spec) Validate() error {
	var fs faults
	s.validateLength(&fs)
	s.Data.validate(&fs, s.Loss)
	s.validateModel(&fs)
	s.validateSize(&fs, s.Data.Inline.features())
	s.Optimizer.validate(&fs)
	s.Schedule.validate(&fs)
	if w := s.Schedule.WarmupSteps; s.Steps > 0 && w >= s.Steps {
		fs.at("schedule.warmup_steps", "%d: the job has %d steps, want fewer", w, s.Steps)
	}
	s.validateLoss(&fs)
	s.validateMetrics(&fs)
	s.validateMonitors(&fs)
	s.validateThreshold(&fs)
	s.validateWire(&fs)
	return fs.join()
}

// validateLength checks the number of steps, and how a batch is split.
func (s *Spec) validateLength(fs *faults) {
	switch {
	case s.Epochs == 0 && s.Steps == 0:
		fs.at("epochs", "missing: want epochs or steps")
	case s.Epochs != 0 && s.Steps != 0:
		fs.at("steps", "%d: epochs is given as well, want one of them", s.Steps)
	}
	if s.Microbatches > s.Batch {
		fs.at("microbatches", "%d: want at most the rows of a batch, %d", s.Microbatches, s.Batch)
	}
	if e := s.Evaluate; e.EveryEpochs != 0 && e.EverySteps != 0 {
		fs.at("evaluate.every_steps", "%d: every_epochs is given as well, want one of them", e.EverySteps)
	}
}

// validateWire checks the fraction of the gradient that a wire keeps.
func (s *Spec) validateWire(fs *faults) {
	if s.Wire != WireTopK && s.WireKeep != 0 {
		fs.at("wire_keep", "%v: want it only with wire %s", s.WireKeep, WireTopK)
	}
}

// validateMetrics checks that the metrics fit what the loss predicts.
func (s *Spec) validateMetrics(fs *faults) {
	for i, m := range s.Metrics {
		if m.Classifies() == s.Loss.Classifies() {
			s.validateClasses(fs, i, m)
			continue
		}
		var want []string
		for _, word := range m.Allowed() {
			if Metric(word).Classifies() == s.Loss.Classifies() {
				want = append(want, word)
			}
		}
		fs.at(index("metrics", i), "%q: with loss %s want one of %s", m, s.Loss, commas(want))
	}
}

// validateClasses checks that a metric fits the number of classes that the loss and the last
// layer state.
func (s *Spec) validateClasses(fs *faults, i int, m Metric) {
	switch units := s.outputs(); s.Loss {
	case SoftmaxCrossEntropy:
		if why := m.Misfit(units); why != "" {
			fs.at(index("metrics", i), "%q: %s, the last layer has %d units", m, why, units)
		}
	case SigmoidCrossEntropy:
		if why := m.Misfit(2); why != "" {
			fs.at(index("metrics", i), "%q: %s, loss %s is of two", m, why, s.Loss)
		}
	default: // numbers
	}
}

// outputs returns the units of the last layer, or 0 if there is none.
func (s *Spec) outputs() int {
	if n := len(s.Model.Layers); n > 0 && s.Model.Layers[n-1].Dense != nil {
		return s.Model.Layers[n-1].Dense.Units
	}
	return 0
}
