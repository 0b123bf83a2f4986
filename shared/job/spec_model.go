package job

// Model is a stack of layers, like PyTorch's nn.Sequential.
type Model struct {
	Layers []Layer `json:"layers" jsonschema:"required,minItems=1,maxItems=256" jsonschema_description:"from the features to the outputs"`
	Init   Init    `json:"init" jsonschema_description:"the initial parameters"`
}

// The bounds of a model: how much memory a spec may ask a worker to allocate.
const (
	// MaxParams bounds the parameters: 1 GiB of float32.
	MaxParams = 1 << 28
	// maxUnits is the most units of a layer, the same as in the schema.
	maxUnits = 1 << 20
)

// Layer holds exactly one kind of layer.
type Layer struct {
	Dense *Dense `json:"dense,omitempty" jsonschema_description:"every output is a weighted sum of every input"`
}

// Dense is y = activation(x Wᵀ + b), W [units, inputs], b [units].
type Dense struct {
	Units      int        `json:"units" jsonschema:"required,minimum=1,maximum=1048576" jsonschema_description:"number of outputs"`
	Activation Activation `json:"activation,omitempty" jsonschema:"default=none" jsonschema_description:"applied to each output"`
	Bias       *bool      `json:"bias,omitempty" jsonschema:"default=true" jsonschema_description:"add a trained constant to each output"`
	Trainable  *bool      `json:"trainable,omitempty" jsonschema_description:"false: training leaves the layer's parameters as they are, as init.from gives them or the seed makes them; default true"`
}

// Frozen reports whether training leaves the layer's parameters as they are.
func (d *Dense) Frozen() bool { return d.Trainable != nil && !*d.Trainable }

// Activation is an elementwise function after a layer.
type Activation string

// The activations.
const (
	NoActivation Activation = "none"
	ReLU         Activation = "relu"
	Tanh         Activation = "tanh"
	Sigmoid      Activation = "sigmoid"
	GELU         Activation = "gelu" // exact: x Φ(x)
)

// Init says where the initial parameters come from: a scheme with the seed, or a file.
type Init struct {
	Scheme Scheme `json:"scheme,omitempty" jsonschema_description:"made from the seed; default torch_uniform, PyTorch's; or give from"`
	From   string `json:"from,omitempty" jsonschema:"minLength=1,maxLength=4096" jsonschema_description:"instead of scheme: a safetensors file, as data.source, or another job's parameters: job:ID (its model, or its newest checkpoint) or checkpoint:ID@STEP"`
}

// Scheme is a rule for initial parameters.
type Scheme string

// The schemes.
const (
	TorchUniform  Scheme = "torch_uniform"  // W, b ~ U(±1/√fan_in), PyTorch's Linear default
	GlorotUniform Scheme = "glorot_uniform" // W ~ U(±√(6/(fan_in+fan_out))), b = 0
	Zeros         Scheme = "zeros"
)
