package job

// Spec describes a training job. A person writes it. Package spec reads it from YAML or
// JSON, fills in the defaults and checks it.
//
// The field tags are the only source of the published JSON Schema: change bounds,
// defaults and descriptions here and nowhere else. [Spec.Validate] checks the rules that
// involve more than one field.
type Spec struct {
	ID            ID             `json:"id,omitempty" jsonschema:"pattern=^[a-z0-9]([a-z0-9_-]{0\\,62}[a-z0-9])?$" jsonschema_description:"names the job and makes submission idempotent; made from the name when left out"`
	Name          string         `json:"name" jsonschema:"required,pattern=^[a-z0-9]([a-z0-9_-]{0\\,62}[a-z0-9])?$" jsonschema_description:"names the model; 1 to 64 of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit"`
	Data          Data           `json:"data" jsonschema:"required" jsonschema_description:"where the rows come from and what is done to them before training"`
	Model         Model          `json:"model" jsonschema:"required" jsonschema_description:"the architecture and its initial parameters"`
	Loss          Loss           `json:"loss" jsonschema:"required" jsonschema_description:"the training objective: classes have softmax_cross_entropy or sigmoid_cross_entropy, numbers have the others; poisson is for counts and rates of at least 0, and the model predicts e^output; multilabel_cross_entropy is for several labels of 0 or 1 (columns, or rows of a list), and the model predicts the probability of each"`
	Optimizer     Optimizer      `json:"optimizer" jsonschema:"required" jsonschema_description:"how a batch's gradient changes the parameters: exactly one kind"`
	Schedule      Schedule       `json:"schedule,omitzero" jsonschema_description:"how the learning rate changes from step to step; default: not at all"`
	Batch         int            `json:"batch" jsonschema:"required,minimum=1,maximum=1048576" jsonschema_description:"rows in a global batch"`
	Microbatches  int            `json:"microbatches" jsonschema:"minimum=1,maximum=65536" jsonschema_description:"parts of a batch: at most so many workers can split a step; fixes the order of sums. Default: the largest power of two of at most batch/64, within 1 to 64"`
	Epochs        int            `json:"epochs,omitempty" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"passes over the training split; or give steps"`
	Steps         int64          `json:"steps,omitempty" jsonschema:"minimum=1,maximum=10485760" jsonschema_description:"updates of the parameters; or give epochs"`
	Seed          uint64         `json:"seed" jsonschema:"minimum=0,maximum=18446744073709551615,default=0" jsonschema_description:"seed of every random choice: split, order of rows, initial parameters"`
	Metrics       []Metric       `json:"metrics,omitempty" jsonschema:"uniqueItems=true,maxItems=14" jsonschema_description:"figures reported in addition to the loss; precision, recall and f1 are means over the classes, where a class that is never predicted has precision 0; mape is a fraction; confusion_matrix is in the model's card, with the precision, recall and f1 of each class; a figure that divides by 0 is reported as undefined, with the reason"`
	DropLast      bool           `json:"drop_last,omitempty" jsonschema:"default=false" jsonschema_description:"leave out an epoch's last, short batch"`
	EarlyStopping *EarlyStopping `json:"early_stopping,omitempty" jsonschema_description:"stop when the validation split does not get better any more, and keep the best parameters; default: every step is taken"`
	Evaluate      Evaluation     `json:"evaluate" jsonschema_description:"when the validation split is evaluated; at the end every split is"`
	Checkpoint    Checkpointing  `json:"checkpoint,omitzero" jsonschema_description:"when the training state is written to the blob store; default: every 60 seconds, the newest 3 are kept; one is always made at the end; changes no result"`
	Wire          Wire           `json:"wire,omitempty" jsonschema_description:"how gradients are sent and logged: float32 (the default) exactly; bfloat16, int8 (a scale for 256 parameters) or topk (the greatest elements of a summed gradient, as many as wire_keep says; partial sums as bfloat16) rounded. The next step's gradient adds what rounding loses. Changes the result"`
	WireKeep      float64        `json:"wire_keep,omitempty" jsonschema:"exclusiveMinimum=0,maximum=1" jsonschema_description:"topk: the fraction of a gradient's elements that is kept, above 0 and at most 1; default 0.01"`
	Strict        *bool          `json:"strict,omitempty" jsonschema:"default=true" jsonschema_description:"use only partial gradients of one numerics fingerprint, so that the result is the same bit for bit"`
	Priority      int            `json:"priority,omitempty" jsonschema:"minimum=1,maximum=100" jsonschema_description:"weight of the job's share of the fleet, in proportion to those of the other running jobs; default 10; changes no result"`
	MaxSlots      int            `json:"max_slots,omitempty" jsonschema:"minimum=1,maximum=65536" jsonschema_description:"the most slots of the fleet that the job uses at a time; default: no bound; changes no result"`

	// Texts for people. They are in neither the spec's digest nor the plan.
	Tags  []string `json:"tags,omitempty" jsonschema:"uniqueItems=true,maxItems=32,minLength=1,maxLength=100" jsonschema_description:"words to find the job by, such as baseline or team=vision; changes no result"`
	Notes string   `json:"notes,omitempty" jsonschema:"minLength=1,maxLength=4096" jsonschema_description:"what a person wants to say about the job; changes no result"`

	Threshold *ThresholdSpec `json:"threshold,omitempty" jsonschema_description:"two classes: choose the decision threshold by the validation split at the end; predictions use it; default: the class of the greater probability"`

	Stop *Stop `json:"stop,omitempty" jsonschema_description:"end the job before its last step; default: never"`

	// Continue is set by programs.
	Continue *Continuation `json:"continue,omitempty" jsonschema_description:"the finished job from whose training state this one goes on; coordinator train --more-epochs and tributary.jobs.continue set it; changes no result"`

	// Parameters of a loss. 0 means left out.
	LossDelta      float64 `json:"loss_delta,omitempty" jsonschema:"minimum=1e-9,maximum=1000000000" jsonschema_description:"huber: the error, in units of the (scaled) label, from which on the loss is linear; default 1"`
	LossQuantile   float64 `json:"loss_quantile,omitempty" jsonschema:"exclusiveMinimum=0,exclusiveMaximum=1" jsonschema_description:"quantile: the quantile of the label that the model learns to predict, between 0 and 1; default 0.5, the median"`
	LabelSmoothing float64 `json:"label_smoothing,omitempty" jsonschema:"minimum=0,maximum=1,default=0" jsonschema_description:"softmax_cross_entropy: the part of each label that is spread evenly over all classes; the metric log_loss does not have it"`
	FocalGamma     float64 `json:"focal_gamma,omitempty" jsonschema:"minimum=0,maximum=10,default=0" jsonschema_description:"losses of classes: the focal loss (1-p)^gamma * -ln p, where p is the probability of the row's class: rows that are classified well count less; the metric log_loss does not have it; with class_weights as the factor alpha"`

	ClassWeights ClassWeights `json:"class_weights,omitzero" jsonschema_description:"losses of classes: how much the rows of a class count in the loss, which is sum(w*loss)/sum(w) over a batch or a split, as in PyTorch: balanced (rows / (classes * rows of the class), of the training split, as in scikit-learn), or {class: weight}; a class that is left out has 1; metrics do not have it"`
}

// MaxJobSteps bounds the number of steps of a job: the coordinator keeps its losses in
// memory.
const MaxJobSteps = 10 << 20

// Wire is the format in which gradients are sent and logged; "" means WireFloat32.
// Package rounding describes what the other formats do to the values.
type Wire string

// The wires.
const (
	WireFloat32  Wire = "float32"
	WireBfloat16 Wire = "bfloat16"
	WireInt8     Wire = "int8"
	WireTopK     Wire = "topk"
)

// Lossy reports whether the format rounds gradients.
func (w Wire) Lossy() bool { return w != "" && w != WireFloat32 }

// Metric is a figure that is reported in addition to the loss.
type Metric string

// The metrics.
const (
	Accuracy Metric = "accuracy"
	RMSE     Metric = "rmse"
	MAE      Metric = "mae"
	R2       Metric = "r2"
	AUC      Metric = "auc"
	LogLoss  Metric = "log_loss"

	Precision Metric = "precision" // mean over the classes
	Recall    Metric = "recall"    // mean over the classes
	F1        Metric = "f1"        // mean over the classes
	Brier     Metric = "brier"     // two classes: mean of (p−y)²
	Top5      Metric = "top_5_accuracy"
	MAPE      Metric = "mape" // mean of |ŷ−y|/|y|, a fraction

	AveragePrecision Metric = "average_precision" // two classes: Σ (Rₙ − Rₙ₋₁)·Pₙ
	ConfusionMatrix  Metric = "confusion_matrix"  // not a number: in the card
	CalibrationError Metric = "expected_calibration_error"
)

// Classifies reports whether the metric is for classes, not for numbers.
func (m Metric) Classifies() bool {
	switch m {
	case Accuracy, AUC, LogLoss, Precision, Recall, F1, Brier, Top5, AveragePrecision, ConfusionMatrix, CalibrationError:
		return true
	default:
		return false
	}
}

// Later reports whether the metric came after the first six. Units of jobs with such
// metrics hold more sums (package metric).
func (m Metric) Later() bool {
	switch m {
	case Precision, Recall, F1, Brier, Top5, MAPE, AveragePrecision, ConfusionMatrix, CalibrationError:
		return true
	default:
		return false
	}
}

// Top is the number of classes among which top_5_accuracy looks for the label's class.
const Top = 5

// Misfit returns why a classification of so many classes cannot have the metric. It returns
// "" if it can.
func (m Metric) Misfit(classes int) string {
	switch {
	case (m == AUC || m == Brier || m == AveragePrecision) && classes != 2:
		return "this metric needs two classes"
	case m == Top5 && classes <= Top:
		return "this metric needs more than 5 classes"
	case m == ConfusionMatrix && classes > MaxConfusion:
		return "this metric needs at most 100 classes"
	default:
		return ""
	}
}

// Evaluation says when the validation split is evaluated. At the end every split is
// evaluated.
type Evaluation struct {
	EveryEpochs int   `json:"every_epochs,omitempty" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"epochs between two evaluations; default 1 unless every_steps is given"`
	EverySteps  int64 `json:"every_steps,omitempty" jsonschema:"minimum=1,maximum=1000000000" jsonschema_description:"steps between two evaluations, instead of every_epochs"`
}
