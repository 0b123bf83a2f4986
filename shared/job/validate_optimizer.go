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
	if kinds != 1 {
		fs.at("optimizer", "want exactly one of adam, adamw, sgd")
	}
}

func (g *SGD) validate(fs *faults, path string) {
	positive32(fs, path+".learning_rate", g.LearningRate)
	below32(fs, path+".momentum", g.Momentum)
	decay32(fs, path+".weight_decay", g.WeightDecay)
	clip32(fs, path+".clip_norm", g.ClipNorm)
	if g.Nesterov && g.Momentum == 0 {
		fs.at(path+".nesterov", "true: want a momentum above 0 with it")
	}
}

func (a *Adam) validate(fs *faults, path string) {
	positive32(fs, path+".learning_rate", a.LearningRate)
	below32(fs, path+".beta1", a.Beta1)
	below32(fs, path+".beta2", a.Beta2)
	positive32(fs, path+".epsilon", a.Epsilon)
	decay32(fs, path+".weight_decay", a.WeightDecay)
	clip32(fs, path+".clip_norm", a.ClipNorm)
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

func decay32(fs *faults, path string, x float64) {
	if f := float32(x); !(x >= 0 && f <= math.MaxFloat32) {
		fs.at(path, "%v: want a number of at least 0 that a 32-bit float can hold", x)
	}
}

func below32(fs *faults, path string, x float64) {
	if !(x >= 0 && float32(x) < 1) {
		fs.at(path, "%v: want a number of at least 0 and below 1, also as a 32-bit float", x)
	}
}
