package job

import "math"

// Validate returns all settings that the optimizer cannot compute with, joined; each is a
// [Fault]. The bounds hold after rounding to float32, because the update is computed in
// float32. The defaults must be filled in.
func (o *Optimizer) Validate() error {
	var fs faults
	o.validate(&fs)
	return fs.join()
}

func (o *Optimizer) validate(fs *faults) {
	kinds := 0
	if g := o.SGD; g != nil {
		kinds++
		g.validate(fs, "optimizer.sgd")
	}
	if a := o.Adam; a != nil {
		kinds++
		a.validate(fs, "optimizer.adam")
	}
	if a := o.AdamW; a != nil {
		kinds++
		a.validate(fs, "optimizer.adamw")
	}
	if r := o.RMSprop; r != nil {
		kinds++
		r.validate(fs, "optimizer.rmsprop")
	}
	if a := o.Adagrad; a != nil {
		kinds++
		a.validate(fs, "optimizer.adagrad")
	}
	if l := o.Lion; l != nil {
		kinds++
		l.validate(fs, "optimizer.lion")
	}
	if kinds != 1 {
		fs.at("optimizer", "want exactly one of adagrad, adam, adamw, lion, rmsprop, sgd")
	}
}

func (g *SGD) validate(fs *faults, path string) {
	positive32(fs, path+".learning_rate", g.LearningRate)
	below32(fs, path+".momentum", g.Momentum)
	g.Common.validate(fs, path)
	if g.Nesterov && g.Momentum == 0 {
		fs.at(path+".nesterov", "true: want a momentum above 0 with it")
	}
}

func (a *Adam) validate(fs *faults, path string) {
	positive32(fs, path+".learning_rate", a.LearningRate)
	below32(fs, path+".beta1", a.Beta1)
	below32(fs, path+".beta2", a.Beta2)
	positive32(fs, path+".epsilon", a.Epsilon)
	a.Common.validate(fs, path)
}

func (r *RMSprop) validate(fs *faults, path string) {
	positive32(fs, path+".learning_rate", r.LearningRate)
	below32(fs, path+".alpha", r.Alpha)
	positive32(fs, path+".epsilon", r.Epsilon)
	below32(fs, path+".momentum", r.Momentum)
	r.Common.validate(fs, path)
}

func (a *Adagrad) validate(fs *faults, path string) {
	positive32(fs, path+".learning_rate", a.LearningRate)
	least032(fs, path+".lr_decay", a.LRDecay)
	least032(fs, path+".initial_accumulator_value", a.InitialAccumulatorValue)
	positive32(fs, path+".epsilon", a.Epsilon)
	a.Common.validate(fs, path)
}

func (l *Lion) validate(fs *faults, path string) {
	positive32(fs, path+".learning_rate", l.LearningRate)
	below32(fs, path+".beta1", l.Beta1)
	below32(fs, path+".beta2", l.Beta2)
	l.Common.validate(fs, path)
}

func (c *Common) validate(fs *faults, path string) {
	least032(fs, path+".weight_decay", c.WeightDecay)
	if c.SparesBias() && c.WeightDecay == 0 {
		fs.at(path+".decay_bias", "false: want a weight_decay above 0 with it")
	}
	below32(fs, path+".ema_momentum", c.EMAMomentum)
	clip32(fs, path+".clip_norm", c.ClipNorm)
	clip32(fs, path+".clip_value", c.ClipValue)
	if c.ClipNorm != 0 && c.ClipValue != 0 {
		fs.at(path+".clip_value", "%v: clip_norm is given as well, want one of them", c.ClipValue)
	}
}

func positive32(fs *faults, path string, x float64) {
	if f := float32(x); !(f > 0 && f <= math.MaxFloat32) {
		fs.at(path, "%v: want a number above 0 that a 32-bit float can hold", x)
	}
}

// clip32 accepts 0, which means no limit, and what positive32 accepts.
func clip32(fs *faults, path string, x float64) {
	if x != 0 {
		positive32(fs, path, x)
	}
}

func least032(fs *faults, path string, x float64) {
	if f := float32(x); !(x >= 0 && f <= math.MaxFloat32) {
		fs.at(path, "%v: want a number of at least 0 that a 32-bit float can hold", x)
	}
}

func below32(fs *faults, path string, x float64) {
	if !(x >= 0 && float32(x) < 1) {
		fs.at(path, "%v: want a number of at least 0 and below 1, also as a 32-bit float", x)
	}
}
