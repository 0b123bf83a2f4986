package job

import "encoding/json"

// Spec is what a person writes to describe a training job, after decoding and
// with every default filled in. Decode makes it from YAML or JSON.
type Spec struct {
	ID           ID         `json:"id,omitempty"` // optional; makes submission idempotent
	Name         string     `json:"name"`
	Data         Data       `json:"data"`
	Model        Model      `json:"model"`
	Loss         Loss       `json:"loss"`
	Optimizer    Optimizer  `json:"optimizer"`
	Batch        int        `json:"batch"`        // rows in a global batch
	Microbatches int        `json:"microbatches"` // leaves of the reduction tree
	Epochs       int        `json:"epochs,omitempty"`
	Steps        int64      `json:"steps,omitempty"` // instead of epochs
	Seed         uint64     `json:"seed"`
	Metrics      []Metric   `json:"metrics,omitempty"`
	DropLast     bool       `json:"drop_last,omitempty"` // leave out an epoch's last, short batch
	Evaluate     Evaluation `json:"evaluate"`
	Strict       *bool      `json:"strict,omitempty"` // partials of one numerics fingerprint only; default true
}

// Data says where the rows come from and what is done to them before training.
type Data struct {
	Source     string    `json:"source,omitempty"`      // path, file:PATH or nats:<bucket>/<object>
	Labels     string    `json:"labels,omitempty"`      // idx: the labels file, as Source
	Test       string    `json:"test,omitempty"`        // a given test source, instead of split.test
	TestLabels string    `json:"test_labels,omitempty"` // idx: the labels of Test
	Inline     *Inline   `json:"inline,omitempty"`      // rows in the spec itself
	Format     Format    `json:"format,omitempty"`
	Label      string    `json:"label,omitempty"` // csv: the label's column
	Drop       []string  `json:"drop,omitempty"`  // csv: columns to leave out
	Clean      Clean     `json:"clean"`
	Transform  Transform `json:"transform"`
	Split      SplitSpec `json:"split"`
	Shuffle    bool      `json:"shuffle"` // default true; false: rows in file order, step after step
}

// Inline holds a small dataset: x [rows][features], y [rows] of numbers or
// strings, or [rows][outputs] of numbers. x [rows] means one feature.
type Inline struct {
	X json.RawMessage `json:"x"`
	Y json.RawMessage `json:"y"`
}

// Format is a source's file format; a source ending in .gz is unpacked first.
type Format string

// The formats.
const (
	CSV Format = "csv"
	IDX Format = "idx"
)

// Clean says what happens to imperfect rows.
type Clean struct {
	Missing    Missing    `json:"missing"`
	Duplicates Duplicates `json:"duplicates"` // default keep
}

// Missing says what to do with empty cells of feature columns. In text columns mean
// and median fill in the most frequent category. A row with a missing label is always dropped.
// JSON: "drop", "mean", "median" or {"constant": v}.
type Missing struct {
	Method   string // drop | mean | median | constant; default drop
	Constant float64
}

// Duplicates says what to do with rows equal in every column.
type Duplicates string

// What to do with duplicates.
const (
	KeepDuplicates Duplicates = "keep"
	DropDuplicates Duplicates = "drop"
)

// Transform says how columns become features.
type Transform struct {
	Scale       Scale  `json:"scale"`                 // numeric columns; default none
	Categorical string `json:"categorical,omitempty"` // text columns: onehot (default)
	Label       Scale  `json:"label,omitzero"`        // regression label: none or standard; predictions are scaled back
}

// Scale maps a numeric column. JSON: "none", "standard" ((x-mean)/std, population std),
// "minmax" (to 0…1) or {"divide": v}.
type Scale struct {
	Method string // none | standard | minmax | divide
	Divide float64
}

// SplitSpec parts the rows; the fractions of the splits in use sum to 1. The zero value trains on every row.
type SplitSpec struct {
	Train      float64 `json:"train"`
	Validation float64 `json:"validation,omitempty"`
	Test       float64 `json:"test,omitempty"`
	Stratify   bool    `json:"stratify,omitempty"` // keep each class's share in every split
}

// Model is a stack of layers, as PyTorch's nn.Sequential.
type Model struct {
	Layers []Layer `json:"layers"`
	Init   Init    `json:"init"`
}

// Layer holds exactly one kind of layer.
type Layer struct {
	Dense *Dense `json:"dense,omitempty"`
}

// Dense is y = activation(x Wᵀ + b), W [units, inputs], b [units].
type Dense struct {
	Units      int        `json:"units"`
	Activation Activation `json:"activation,omitempty"` // default none
	Bias       *bool      `json:"bias,omitempty"`       // default true
}

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

// Init says how the initial parameters are made: by a scheme from the seed, or read from a file.
type Init struct {
	Scheme Scheme `json:"scheme,omitempty"` // default torch_uniform
	From   string `json:"from,omitempty"`   // a safetensors source, as Data.Source
}

// Scheme is a rule for initial parameters.
type Scheme string

// The schemes.
const (
	TorchUniform  Scheme = "torch_uniform"  // W, b ~ U(±1/√fan_in), PyTorch's Linear default
	GlorotUniform Scheme = "glorot_uniform" // W ~ U(±√(6/(fan_in+fan_out))), b = 0
	Zeros         Scheme = "zeros"
)

// Loss is the training objective.
type Loss string

// The losses. All but HalfSquaredError are means over the batch.
const (
	SoftmaxCrossEntropy Loss = "softmax_cross_entropy" // classes; −log softmax(z)[y]
	SigmoidCrossEntropy Loss = "sigmoid_cross_entropy" // two classes, one output; −log σ(±z)
	MSE                 Loss = "mse"                   // mean over the outputs of (ŷ−y)²
	HalfSquaredError    Loss = "half_squared_error"    // ½ Σ (y−ŷ)², summed over outputs and batch
)

// Classifies reports whether the loss wants class labels rather than numbers.
func (l Loss) Classifies() bool { return l == SoftmaxCrossEntropy || l == SigmoidCrossEntropy }

// Sums reports whether the batch's loss is the sum over its rows, not their mean.
func (l Loss) Sums() bool { return l == HalfSquaredError }

// Optimizer holds exactly one kind of optimizer.
type Optimizer struct {
	SGD   *SGD  `json:"sgd,omitempty"`
	Adam  *Adam `json:"adam,omitempty"`
	AdamW *Adam `json:"adamw,omitempty"`
}

// SGD is stochastic gradient descent as PyTorch defines it (dampening 0).
type SGD struct {
	LearningRate float64 `json:"learning_rate"`
	Momentum     float64 `json:"momentum,omitempty"`
	Nesterov     bool    `json:"nesterov,omitempty"`
	WeightDecay  float64 `json:"weight_decay,omitempty"`
}

// Adam is Kingma & Ba (2015) as PyTorch defines it; under the key adamw, weight
// decay is decoupled (Loshchilov & Hutter, 2019).
type Adam struct {
	LearningRate float64 `json:"learning_rate"`
	Beta1        float64 `json:"beta1"`   // default 0.9
	Beta2        float64 `json:"beta2"`   // default 0.999
	Epsilon      float64 `json:"epsilon"` // default 1e-8
	WeightDecay  float64 `json:"weight_decay,omitempty"`
}

// Metric is a figure reported beside the loss.
type Metric string

// The metrics.
const (
	Accuracy Metric = "accuracy"
	RMSE     Metric = "rmse"
	MAE      Metric = "mae"
	R2       Metric = "r2"
	AUC      Metric = "auc"
	LogLoss  Metric = "log_loss"
)

// Evaluation says when the validation split is evaluated. At the end every split is.
type Evaluation struct {
	EveryEpochs int   `json:"every_epochs,omitempty"` // default 1 (when EverySteps is not set)
	EverySteps  int64 `json:"every_steps,omitempty"`  // instead of EveryEpochs
}
