package job

import "iter"

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
	// maxLayers is the most layers of a model, those in residuals included.
	maxLayers = 256
)

// Layer holds exactly one kind of layer.
type Layer struct {
	Dense      *Dense     `json:"dense,omitempty" jsonschema_description:"every output is a weighted sum of every input"`
	Activation Activation `json:"activation,omitempty" jsonschema_description:"an elementwise function by itself, as after a norm"`
	LayerNorm  *Norm      `json:"layer_norm,omitempty" jsonschema_description:"each row has mean 0 and variance 1, then a trained scale and offset (PyTorch's LayerNorm)"`
	RMSNorm    *Norm      `json:"rms_norm,omitempty" jsonschema_description:"each row has mean square 1, then a trained scale (PyTorch's RMSNorm)"`
	GroupNorm  *GroupNorm `json:"group_norm,omitempty" jsonschema_description:"each group of neighbouring units of a row has mean 0 and variance 1, then a trained scale and offset for each unit (PyTorch's GroupNorm)"`
	BatchNorm  *BatchNorm `json:"batch_norm,omitempty" jsonschema_description:"each unit has mean 0 and variance 1 over a micro-batch, then a trained scale and offset; predictions use running averages of the statistics (PyTorch's BatchNorm)"`
	Dropout    *Dropout   `json:"dropout,omitempty" jsonschema_description:"in training, each number is 0 with a probability, and the others are scaled up (PyTorch's Dropout)"`
	Residual   *Residual  `json:"residual,omitempty" jsonschema_description:"the input plus what the layers make of it (He et al., 2016)"`

	Reshape                []int      `json:"reshape,omitempty" jsonschema:"minItems=3,maxItems=3" jsonschema_description:"makes images of a row's numbers: [height, width, channels], channel by channel of each pixel, row by row"`
	Conv2D                 *Conv2D    `json:"conv2d,omitempty" jsonschema_description:"weighted sums of a window that moves over an image"`
	MaxPooling2D           *Pooling2D `json:"max_pooling2d,omitempty" jsonschema_description:"the greatest number of a window, for each channel"`
	AveragePooling2D       *Pooling2D `json:"average_pooling2d,omitempty" jsonschema_description:"the mean of a window, for each channel; padding counts as 0"`
	GlobalMaxPooling2D     *Nothing   `json:"global_max_pooling2d,omitempty" jsonschema_description:"the greatest number of each channel"`
	GlobalAveragePooling2D *Nothing   `json:"global_average_pooling2d,omitempty" jsonschema_description:"the mean of each channel"`
	Flatten                *Nothing   `json:"flatten,omitempty" jsonschema_description:"makes one row of an image, channel by channel (PyTorch's Flatten)"`
}

// Norm scales each row by its own statistics: Ba, Kiros & Hinton, "Layer normalization", 2016,
// and Zhang & Sennrich, "Root mean square layer normalization", 2019.
type Norm struct {
	Epsilon   float64 `json:"epsilon,omitempty" jsonschema:"minimum=1e-30,maximum=1" jsonschema_description:"added to the variance or mean square; default 1e-5"`
	Trainable *bool   `json:"trainable,omitempty" jsonschema_description:"false: training leaves the layer's parameters as they are; default true"`
}

// GroupNorm scales each group of units of a row by its own statistics: Wu & He, "Group
// normalization", 2018.
type GroupNorm struct {
	Groups int `json:"groups" jsonschema:"required,minimum=1,maximum=1048576" jsonschema_description:"number of groups; it divides the units"`
	Norm
}

// BatchNorm scales each unit by its statistics over all rows of a micro-batch: Ioffe & Szegedy,
// "Batch normalization", 2015. A step's statistics are the means of those of its micro-batches;
// the running ones move towards them once a step. Evaluation and prediction use the running
// ones; so does training if Trainable is false.
type BatchNorm struct {
	Momentum float64 `json:"momentum,omitempty" jsonschema:"exclusiveMinimum=0,maximum=1" jsonschema_description:"share of a step's statistics in the running averages, as in PyTorch (1 minus Keras' momentum); default 0.1"`
	Norm
}

// Norms lists the norms of the layer that are given, without what only one kind has.
func (l *Layer) Norms() (norms []*Norm) {
	for _, n := range []*Norm{l.LayerNorm, l.RMSNorm} {
		if n != nil {
			norms = append(norms, n)
		}
	}
	if l.GroupNorm != nil {
		norms = append(norms, &l.GroupNorm.Norm)
	}
	if l.BatchNorm != nil {
		norms = append(norms, &l.BatchNorm.Norm)
	}
	return norms
}

// Dropout sets numbers to 0 by chance while a model trains (Srivastava et al., "Dropout: a
// simple way to prevent neural networks from overfitting", 2014). Evaluation and prediction
// leave it out.
type Dropout struct {
	Rate float64 `json:"rate" jsonschema:"required,minimum=0,exclusiveMaximum=1" jsonschema_description:"probability of 0"`
}

// Residual is x + layers(x).
type Residual struct {
	Layers []Layer `json:"layers" jsonschema:"required,minItems=1,maxItems=256" jsonschema_description:"as many outputs as inputs"`
}

// Frozen reports whether training leaves the layer's parameters as they are.
func (n *Norm) Frozen() bool { return n.Trainable != nil && !*n.Trainable }

// Kinds lists the kinds of layer that are given. A valid layer has one.
func (l *Layer) Kinds() (kinds []string) {
	for _, k := range []struct {
		name  string
		given bool
	}{
		{"dense", l.Dense != nil},
		{"activation", l.Activation != ""},
		{"layer_norm", l.LayerNorm != nil},
		{"rms_norm", l.RMSNorm != nil},
		{"group_norm", l.GroupNorm != nil},
		{"batch_norm", l.BatchNorm != nil},
		{"dropout", l.Dropout != nil},
		{"residual", l.Residual != nil},
		{"reshape", l.Reshape != nil},
		{"conv2d", l.Conv2D != nil},
		{"max_pooling2d", l.MaxPooling2D != nil},
		{"average_pooling2d", l.AveragePooling2D != nil},
		{"global_max_pooling2d", l.GlobalMaxPooling2D != nil},
		{"global_average_pooling2d", l.GlobalAveragePooling2D != nil},
		{"flatten", l.Flatten != nil},
	} {
		if k.given {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}

// MaxNesting is how deep residuals may be in each other. A spec reaches less, because its
// text may not be so deep.
const MaxNesting = 16

// All yields every layer with its path in a spec, a residual before the layers in it. Of a
// model that is too large or too deep for any network, it yields the first layers only.
func (m *Model) All() iter.Seq2[string, *Layer] {
	return func(yield func(string, *Layer) bool) {
		left := 4 * maxLayers
		all("model.layers", m.Layers, MaxNesting, func(path string, l *Layer) bool {
			left--
			return left >= 0 && yield(path, l)
		})
	}
}

func all(path string, layers []Layer, depth int, yield func(string, *Layer) bool) bool {
	for i := range layers {
		l, at := &layers[i], index(path, i)
		if !yield(at, l) {
			return false
		}
		if r := l.Residual; r != nil && depth > 0 && !all(at+".residual.layers", r.Layers, depth-1, yield) {
			return false
		}
	}
	return true
}

// Dense is y = activation(x Wᵀ + b), W [units, inputs], b [units].
type Dense struct {
	Units      int        `json:"units" jsonschema:"required,minimum=1,maximum=1048576" jsonschema_description:"number of outputs"`
	Activation Activation `json:"activation,omitempty" jsonschema:"default=none" jsonschema_description:"applied to each output"`
	Bias       *bool      `json:"bias,omitempty" jsonschema:"default=true" jsonschema_description:"add a trained constant to each output"`
	Trainable  *bool      `json:"trainable,omitempty" jsonschema_description:"false: training leaves the layer's parameters as they are, as init.from gives them or the seed makes them; default true"`

	KernelRegularizer *Regularizer `json:"kernel_regularizer,omitempty" jsonschema_description:"a penalty on the weights, without the biases: its gradient is added to that of the loss; the reported loss does not have it; not together with clip_norm"`
}

// Regularizer is the penalty l1·Σ|w| + l2·Σw² on the weights of a layer, as Keras has it.
type Regularizer struct {
	L1 float64 `json:"l1,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"factor of the sum of the magnitudes"`
	L2 float64 `json:"l2,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"factor of the sum of the squares"`
}

// Penalized reports whether the layer's weights have a penalty.
func (d *Dense) Penalized() bool {
	return d.KernelRegularizer != nil && *d.KernelRegularizer != Regularizer{}
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

	GELUTanh    Activation = "gelu_tanh" // GELU's approximation by tanh
	SiLU        Activation = "silu"      // x σ(x); swish
	Mish        Activation = "mish"
	Softplus    Activation = "softplus"
	LeakyReLU   Activation = "leaky_relu" // slope 0.01 below 0
	ReLU6       Activation = "relu6"
	ELU         Activation = "elu" // alpha 1
	SELU        Activation = "selu"
	Softsign    Activation = "softsign"
	HardSigmoid Activation = "hard_sigmoid"
	HardSwish   Activation = "hard_swish"
)

// Later reports whether the activation came after the first five.
func (a Activation) Later() bool {
	switch a {
	case "", NoActivation, ReLU, Tanh, Sigmoid, GELU:
		return false
	default:
		return true
	}
}

// Init says where the initial parameters come from: a scheme with the seed, or a file.
type Init struct {
	Scheme Scheme `json:"scheme,omitempty" jsonschema_description:"how the seed makes the parameters; default torch_uniform, as in PyTorch; or give from"`
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
