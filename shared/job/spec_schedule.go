package job

// Schedule changes the learning rate from step to step. The rate of a step is the
// optimizer's learning rate times a factor. Without a kind, the factor is 1 after the
// warm-up. Factors are functions of t, the number of steps since the warm-up ended.
type Schedule struct {
	WarmupSteps     int64            `json:"warmup_steps,omitempty" jsonschema:"minimum=1,maximum=10485760" jsonschema_description:"the learning rate rises in a line over so many steps: the first has 1/warmup_steps of it; the schedule begins after them"`
	Step            *StepDecay       `json:"step,omitempty" jsonschema_description:"multiply by gamma every so many steps (PyTorch's StepLR)"`
	Exponential     *Exponential     `json:"exponential,omitempty" jsonschema_description:"multiply by gamma at every step (PyTorch's ExponentialLR)"`
	Piecewise       *Piecewise       `json:"piecewise,omitempty" jsonschema_description:"constant between boundaries (Keras' PiecewiseConstantDecay)"`
	Linear          *Decline         `json:"linear,omitempty" jsonschema_description:"fall in a line (PyTorch's LinearLR)"`
	Cosine          *Cosine          `json:"cosine,omitempty" jsonschema_description:"fall along half a cosine, with or without restarts (PyTorch's CosineAnnealingLR and CosineAnnealingWarmRestarts)"`
	ReduceOnPlateau *ReduceOnPlateau `json:"reduce_on_plateau,omitempty" jsonschema_description:"multiply by a factor when the validation split does not get better any more (Keras' ReduceLROnPlateau)"`
	OneCycle        *OneCycle        `json:"one_cycle,omitempty" jsonschema_description:"rise to the learning rate and fall far below it, along cosines (PyTorch's OneCycleLR); it has its own warm-up"`
}

// StepDecay is the factor gamma^⌊t/steps⌋.
type StepDecay struct {
	Steps int64   `json:"steps" jsonschema:"required,minimum=1,maximum=10485760" jsonschema_description:"steps between two changes"`
	Gamma float64 `json:"gamma" jsonschema:"required,exclusiveMinimum=0,maximum=10" jsonschema_description:"factor of each change"`
}

// Exponential is the factor gamma^t.
type Exponential struct {
	Gamma float64 `json:"gamma" jsonschema:"required,exclusiveMinimum=0,maximum=1" jsonschema_description:"factor of each step"`
}

// Piecewise is the factor Factors[i], where i is the number of boundaries that are at most
// t.
type Piecewise struct {
	Boundaries []int64   `json:"boundaries" jsonschema:"required,minItems=1,maxItems=1000" jsonschema_description:"steps at which the factor changes, rising"`
	Factors    []float64 `json:"factors" jsonschema:"required,minItems=2,maxItems=1001" jsonschema_description:"the factors before, between and after the boundaries: one more than these"`
}

// Decline is the factor 1 + (end − 1)·t/steps, and end from t = steps on.
type Decline struct {
	Steps int64   `json:"steps,omitempty" jsonschema:"minimum=1,maximum=10485760" jsonschema_description:"length of the fall; default: up to the end of the job"`
	End   float64 `json:"end,omitempty" jsonschema:"minimum=0,maximum=1,default=0" jsonschema_description:"the last factor"`
}

// Cosine is the factor end + (1 − end)·(1 + cos(π·t/steps))/2, and end from t = steps on
// (Loshchilov & Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017). With
// restarts it begins again at 1 instead, each time restart_factor times as long. The cosine
// is exact to 2⁻³⁷, so an end of 0 is a factor of about 10⁻¹³.
type Cosine struct {
	Steps         int64   `json:"steps,omitempty" jsonschema:"minimum=1,maximum=10485760" jsonschema_description:"length of the (first) fall; default: up to the end of the job"`
	End           float64 `json:"end,omitempty" jsonschema:"minimum=0,maximum=1,default=0" jsonschema_description:"the last factor"`
	RestartFactor int64   `json:"restart_factor,omitempty" jsonschema:"minimum=1,maximum=100" jsonschema_description:"begin again after a fall, each time so many times as long; default: no restarts; wants steps"`
}

// OneCycle is one cycle of the learning rate (Smith & Topin, "Super-convergence", 2018),
// with the names and defaults of PyTorch's OneCycleLR. The momentum does not change.
type OneCycle struct {
	Start          float64 `json:"pct_start,omitempty" jsonschema:"exclusiveMinimum=0,exclusiveMaximum=1" jsonschema_description:"share of the job in which the rate rises; default 0.3"`
	DivFactor      float64 `json:"div_factor,omitempty" jsonschema:"minimum=1,maximum=1000000000" jsonschema_description:"the first rate is the learning rate over this; default 25"`
	FinalDivFactor float64 `json:"final_div_factor,omitempty" jsonschema:"minimum=1,maximum=1000000000" jsonschema_description:"the last rate is the first over this; default 10000"`
}

// Constant reports whether the learning rate is the same at every step.
func (s *Schedule) Constant() bool { return *s == Schedule{} }

// fill sets the values that were left out.
func (c *OneCycle) fill() {
	setDefault(&c.Start, 0.3)
	setDefault(&c.DivFactor, 25)
	setDefault(&c.FinalDivFactor, 1e4)
}

// validate checks the rules of more than one field.
func (s *Schedule) validate(fs *faults) {
	kinds := 0
	for _, given := range []bool{s.Step != nil, s.Exponential != nil, s.Piecewise != nil, s.Linear != nil, s.Cosine != nil, s.OneCycle != nil, s.ReduceOnPlateau != nil} {
		if given {
			kinds++
		}
	}
	if kinds > 1 {
		fs.at("schedule", "%d kinds: want at most one of step, exponential, piecewise, linear, cosine, one_cycle, reduce_on_plateau", kinds)
	}
	if s.OneCycle != nil && s.WarmupSteps != 0 {
		fs.at("schedule.warmup_steps", "%d: one_cycle has its own warm-up, want one of them", s.WarmupSteps)
	}
	if c := s.Cosine; c != nil && c.RestartFactor != 0 && c.Steps == 0 {
		fs.at("schedule.cosine.steps", "missing: want the length of the first fall with restart_factor")
	}
	if p := s.Piecewise; p != nil {
		p.validate(fs)
	}
}

func (p *Piecewise) validate(fs *faults) {
	if want := len(p.Boundaries) + 1; len(p.Factors) != want {
		fs.at("schedule.piecewise.factors", "%d factors for %d boundaries: want %d", len(p.Factors), len(p.Boundaries), want)
	}
	for i, at := range p.Boundaries {
		if at < 1 || i > 0 && at <= p.Boundaries[i-1] {
			fs.at(index("schedule.piecewise.boundaries", i), "%d: want rising steps from 1 on", at)
		}
	}
	for i, f := range p.Factors {
		if !(f >= 0 && f <= 1e6) {
			fs.at(index("schedule.piecewise.factors", i), "%v: want 0 to 1000000", f)
		}
	}
}

// Validate returns all numbers that a step cannot be computed with, joined; each is a
// [Fault]. The defaults must be filled in. The schema has these bounds for specs; a plan's
// bytes are not checked against it.
func (s *Schedule) Validate() error {
	var fs faults
	s.validate(&fs)
	within := func(path string, v, least, most float64) {
		if !(v >= least && v <= most) {
			fs.at("schedule."+path, "%v: want %v to %v", v, least, most)
		}
	}
	within("warmup_steps", float64(s.WarmupSteps), 0, MaxJobSteps)
	if k := s.Step; k != nil {
		within("step.steps", float64(k.Steps), 1, MaxJobSteps)
		within("step.gamma", k.Gamma, 0, 10)
	}
	if k := s.Exponential; k != nil {
		within("exponential.gamma", k.Gamma, 0, 1)
	}
	if k := s.Linear; k != nil {
		within("linear.steps", float64(k.Steps), 0, MaxJobSteps)
		within("linear.end", k.End, 0, 1)
	}
	if k := s.Cosine; k != nil {
		within("cosine.steps", float64(k.Steps), 0, MaxJobSteps)
		within("cosine.end", k.End, 0, 1)
		within("cosine.restart_factor", float64(k.RestartFactor), 0, 100)
	}
	if k := s.OneCycle; k != nil {
		within("one_cycle.pct_start", k.Start, 0, 1)
		within("one_cycle.div_factor", k.DivFactor, 1, 1e9)
		within("one_cycle.final_div_factor", k.FinalDivFactor, 1, 1e9)
	}
	if k := s.ReduceOnPlateau; k != nil {
		within("reduce_on_plateau.factor", k.Factor, 0, 1)
		within("reduce_on_plateau.min_learning_rate", k.MinLearningRate, 0, 1e6)
	}
	return fs.join()
}
