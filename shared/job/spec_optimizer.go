package job

// Optimizer holds exactly one kind of optimizer.
type Optimizer struct {
	SGD     *SGD     `json:"sgd,omitempty" jsonschema_description:"stochastic gradient descent"`
	Adam    *Adam    `json:"adam,omitempty" jsonschema_description:"Adam; weight decay is a term of the gradient"`
	AdamW   *Adam    `json:"adamw,omitempty" jsonschema_description:"Adam with decoupled weight decay"`
	RMSprop *RMSprop `json:"rmsprop,omitempty" jsonschema_description:"RMSprop; weight decay is a term of the gradient"`
	Adagrad *Adagrad `json:"adagrad,omitempty" jsonschema_description:"Adagrad; weight decay is a term of the gradient"`
	Lion    *Lion    `json:"lion,omitempty" jsonschema_description:"Lion, steps of one length in every parameter; weight decay is decoupled"`
}

// Common returns the options that the optimizer shares with all others. It is nil if there
// is no optimizer.
func (o *Optimizer) Common() *Common {
	switch {
	case o.SGD != nil:
		return &o.SGD.Common
	case o.Adam != nil:
		return &o.Adam.Common
	case o.AdamW != nil:
		return &o.AdamW.Common
	case o.RMSprop != nil:
		return &o.RMSprop.Common
	case o.Adagrad != nil:
		return &o.Adagrad.Common
	case o.Lion != nil:
		return &o.Lion.Common
	default:
		return nil
	}
}

// LearningRate returns the optimizer's learning rate; 0 if there is no optimizer.
func (o *Optimizer) LearningRate() float64 {
	switch {
	case o.SGD != nil:
		return o.SGD.LearningRate
	case o.Adam != nil:
		return o.Adam.LearningRate
	case o.AdamW != nil:
		return o.AdamW.LearningRate
	case o.RMSprop != nil:
		return o.RMSprop.LearningRate
	case o.Adagrad != nil:
		return o.Adagrad.LearningRate
	case o.Lion != nil:
		return o.Lion.LearningRate
	default:
		return 0
	}
}

// Common holds the options that every optimizer has. ClipNorm is that of
// torch.nn.utils.clip_grad_norm_, and ClipValue that of clip_grad_value_. Only one of them
// may be given.
type Common struct {
	WeightDecay float64 `json:"weight_decay,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"pull of the parameters towards 0"`
	DecayBias   *bool   `json:"decay_bias,omitempty" jsonschema_description:"false: weight decay pulls the weights, and not the biases and norms; default true"`
	ClipNorm    float64 `json:"clip_norm,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"most that the norm of a step's whole gradient may be; a longer one is scaled down; 0: no limit"`
	EMAMomentum float64 `json:"ema_momentum,omitempty" jsonschema:"minimum=0,exclusiveMaximum=1,default=0" jsonschema_description:"keep an exponential moving average of the parameters, average ← momentum·average + (1−momentum)·parameters after each step; evaluations and the model use the average; 0: no average"`
	ClipValue   float64 `json:"clip_value,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"most that the magnitude of each element of a step's gradient may be; a greater one is cut off; not together with clip_norm; 0: no limit"`
}

// SparesBias reports whether weight decay leaves out the biases.
func (c *Common) SparesBias() bool { return c.DecayBias != nil && !*c.DecayBias }

// SGD is stochastic gradient descent as PyTorch defines it (dampening 0).
type SGD struct {
	LearningRate float64 `json:"learning_rate" jsonschema:"required,exclusiveMinimum=0,maximum=1000000" jsonschema_description:"length of a step"`
	Momentum     float64 `json:"momentum,omitempty" jsonschema:"minimum=0,exclusiveMaximum=1,default=0" jsonschema_description:"share of the last update that is kept"`
	Nesterov     bool    `json:"nesterov,omitempty" jsonschema:"default=false" jsonschema_description:"Nesterov's momentum"`
	Common
}

// Adam is Kingma & Ba (2015) as PyTorch defines it. Under the key adamw, weight decay is
// decoupled (Loshchilov & Hutter, 2019).
type Adam struct {
	LearningRate float64 `json:"learning_rate" jsonschema:"required,exclusiveMinimum=0,maximum=1000000" jsonschema_description:"length of a step"`
	Beta1        float64 `json:"beta1" jsonschema:"minimum=0,exclusiveMaximum=1,default=0.9" jsonschema_description:"decay of the gradient's running mean"`
	Beta2        float64 `json:"beta2" jsonschema:"minimum=0,exclusiveMaximum=1,default=0.999" jsonschema_description:"decay of the running mean of the gradient's square"`
	Epsilon      float64 `json:"epsilon" jsonschema:"exclusiveMinimum=0,maximum=1,default=1e-8" jsonschema_description:"added to the denominator"`
	Common
}

// RMSprop is Tieleman & Hinton (lecture 6.5 of "Neural networks for machine learning",
// 2012) as PyTorch defines it, with Graves's centered form ("Generating sequences with
// recurrent neural networks", 2013).
type RMSprop struct {
	LearningRate float64 `json:"learning_rate" jsonschema:"required,exclusiveMinimum=0,maximum=1000000" jsonschema_description:"length of a step"`
	Alpha        float64 `json:"alpha" jsonschema:"minimum=0,exclusiveMaximum=1,default=0.99" jsonschema_description:"decay of the running mean of the gradient's square"`
	Epsilon      float64 `json:"epsilon" jsonschema:"exclusiveMinimum=0,maximum=1,default=1e-8" jsonschema_description:"added to the denominator"`
	Momentum     float64 `json:"momentum,omitempty" jsonschema:"minimum=0,exclusiveMaximum=1,default=0" jsonschema_description:"share of the last update that is kept"`
	Centered     bool    `json:"centered,omitempty" jsonschema:"default=false" jsonschema_description:"divide by the gradient's standard deviation, and not by its root mean square"`
	Common
}

// Adagrad is Duchi et al. (2011) as PyTorch defines it.
type Adagrad struct {
	LearningRate            float64 `json:"learning_rate" jsonschema:"required,exclusiveMinimum=0,maximum=1000000" jsonschema_description:"length of the first step"`
	LRDecay                 float64 `json:"lr_decay,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"after t steps, the learning rate is divided by 1 + t·lr_decay"`
	InitialAccumulatorValue float64 `json:"initial_accumulator_value,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"what the sum of squared gradients begins with"`
	Epsilon                 float64 `json:"epsilon" jsonschema:"exclusiveMinimum=0,maximum=1,default=1e-10" jsonschema_description:"added to the denominator"`
	Common
}

// Lion is Chen et al., "Symbolic discovery of optimization algorithms" (2023), algorithm 2.
type Lion struct {
	LearningRate float64 `json:"learning_rate" jsonschema:"required,exclusiveMinimum=0,maximum=1000000" jsonschema_description:"how far every parameter moves in a step"`
	Beta1        float64 `json:"beta1" jsonschema:"minimum=0,exclusiveMaximum=1,default=0.9" jsonschema_description:"share of the running mean in the sum whose sign is the direction of a step"`
	Beta2        float64 `json:"beta2" jsonschema:"minimum=0,exclusiveMaximum=1,default=0.99" jsonschema_description:"decay of the gradient's running mean"`
	Common
}
