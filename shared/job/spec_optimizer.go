package job

// Optimizer holds exactly one kind of optimizer.
type Optimizer struct {
	SGD   *SGD  `json:"sgd,omitempty" jsonschema_description:"stochastic gradient descent"`
	Adam  *Adam `json:"adam,omitempty" jsonschema_description:"Adam; weight decay is a term of the gradient"`
	AdamW *Adam `json:"adamw,omitempty" jsonschema_description:"Adam with decoupled weight decay"`
}

// SGD is stochastic gradient descent as PyTorch defines it (dampening 0).
type SGD struct {
	LearningRate float64 `json:"learning_rate" jsonschema:"required,exclusiveMinimum=0,maximum=1000000" jsonschema_description:"length of a step"`
	Momentum     float64 `json:"momentum,omitempty" jsonschema:"minimum=0,exclusiveMaximum=1,default=0" jsonschema_description:"share of the last update that is kept"`
	Nesterov     bool    `json:"nesterov,omitempty" jsonschema:"default=false" jsonschema_description:"Nesterov's momentum"`
	WeightDecay  float64 `json:"weight_decay,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"pull of the parameters towards 0"`
	ClipNorm     float64 `json:"clip_norm,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"maximum norm of a step's whole gradient; a longer one is scaled down; 0: no limit"`
}

// Adam is Kingma & Ba (2015) as PyTorch defines it. Under the key adamw, weight decay is
// decoupled (Loshchilov & Hutter, 2019).
type Adam struct {
	LearningRate float64 `json:"learning_rate" jsonschema:"required,exclusiveMinimum=0,maximum=1000000" jsonschema_description:"length of a step"`
	Beta1        float64 `json:"beta1" jsonschema:"minimum=0,exclusiveMaximum=1,default=0.9" jsonschema_description:"decay of the gradient's running mean"`
	Beta2        float64 `json:"beta2" jsonschema:"minimum=0,exclusiveMaximum=1,default=0.999" jsonschema_description:"decay of the running mean of the gradient's square"`
	Epsilon      float64 `json:"epsilon" jsonschema:"exclusiveMinimum=0,maximum=1,default=1e-8" jsonschema_description:"added to the denominator"`
	WeightDecay  float64 `json:"weight_decay,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"pull of the parameters towards 0"`
	ClipNorm     float64 `json:"clip_norm,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"maximum norm of a step's whole gradient; a longer one is scaled down; 0: no limit"`
}
