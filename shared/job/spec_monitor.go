package job

import "strings"

// EarlyStopping ends a job when its validation split does not get better any more. The rules
// and the names are those of Keras' EarlyStopping. An evaluation improves if it is better
// than the best one before by more than min_delta; a figure that is undefined never
// improves.
type EarlyStopping struct {
	Monitor     string  `json:"monitor,omitempty" jsonschema:"maxLength=64" jsonschema_description:"figure of the validation split to follow: loss or one of metrics; default loss"`
	Mode        Mode    `json:"mode,omitempty" jsonschema_description:"min: lower is better; max: higher is better; default: as the figure is"`
	MinDelta    float64 `json:"min_delta,omitempty" jsonschema:"minimum=0,maximum=1000000000,default=0" jsonschema_description:"least change that counts as an improvement"`
	Patience    int     `json:"patience" jsonschema:"minimum=1,maximum=1000000,default=5" jsonschema_description:"evaluations in a row without an improvement after which the job stops"`
	RestoreBest *bool   `json:"restore_best,omitempty" jsonschema_description:"the model has the parameters of the best evaluation, and not the last ones; default true"`
}

// ReduceOnPlateau multiplies the learning rate by a factor when the validation split does
// not get better any more. The rules and the names are those of Keras' ReduceLROnPlateau.
type ReduceOnPlateau struct {
	Monitor         string  `json:"monitor,omitempty" jsonschema:"maxLength=64" jsonschema_description:"figure of the validation split to follow: loss or one of metrics; default loss"`
	Mode            Mode    `json:"mode,omitempty" jsonschema_description:"min: lower is better; max: higher is better; default: as the figure is"`
	Factor          float64 `json:"factor,omitempty" jsonschema:"exclusiveMinimum=0,exclusiveMaximum=1" jsonschema_description:"factor of each reduction; default 0.1"`
	Patience        int     `json:"patience" jsonschema:"minimum=1,maximum=1000000,default=10" jsonschema_description:"evaluations in a row without an improvement after which the rate is reduced"`
	MinDelta        float64 `json:"min_delta" jsonschema:"minimum=0,maximum=1000000000,default=0.0001" jsonschema_description:"least change that counts as an improvement"`
	Cooldown        int     `json:"cooldown,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"evaluations after a reduction that do not count"`
	MinLearningRate float64 `json:"min_learning_rate,omitempty" jsonschema:"minimum=0,maximum=1000000,default=0" jsonschema_description:"the rate is not reduced below this"`
}

// Mode says whether a lower or a higher figure is better.
type Mode string

// The modes; "" is what the figure is.
const (
	Min Mode = "min"
	Max Mode = "max"
)

// RestoresBest reports whether the model has the parameters of the best evaluation.
func (e *EarlyStopping) RestoresBest() bool {
	return e != nil && (e.RestoreBest == nil || *e.RestoreBest)
}

// UnmarshalJSON reads an object. A missing patience is 5.
func (e *EarlyStopping) UnmarshalJSON(data []byte) error {
	type plain EarlyStopping
	return over((*plain)(e), plain{Patience: 5}, data)
}

// UnmarshalJSON reads an object. Missing numbers take Keras' values.
func (r *ReduceOnPlateau) UnmarshalJSON(data []byte) error {
	type plain ReduceOnPlateau
	return over((*plain)(r), plain{Patience: 10, MinDelta: 1e-4}, data)
}

// fill sets the words that were left out.
func (e *EarlyStopping) fill() {
	setDefault(&e.Monitor, LossFigure)
	setDefault(&e.Mode, modeOf(e.Monitor))
	e.RestoreBest = orTrue(e.RestoreBest)
}

func (r *ReduceOnPlateau) fill() {
	setDefault(&r.Monitor, LossFigure)
	setDefault(&r.Mode, modeOf(r.Monitor))
	setDefault(&r.Factor, 0.1)
}

// LowerIsBetter reports whether training makes the figure smaller.
func LowerIsBetter(figure string) bool {
	switch Metric(figure) {
	case LossFigure, RMSE, MAE, LogLoss, Brier, MAPE, CalibrationError:
		return true
	default:
		return false
	}
}

func modeOf(figure string) Mode {
	if LowerIsBetter(figure) {
		return Min
	}
	return Max
}

// Monitors reports whether something in the job follows from evaluations of the validation
// split.
func (s *Spec) Monitors() bool { return s.EarlyStopping != nil || s.Schedule.ReduceOnPlateau != nil }

// validateMonitors checks what follows evaluations.
func (s *Spec) validateMonitors(fs *faults) {
	if e := s.EarlyStopping; e != nil {
		s.validateMonitor(fs, "early_stopping", e.Monitor)
	}
	if r := s.Schedule.ReduceOnPlateau; r != nil {
		s.validateMonitor(fs, "schedule.reduce_on_plateau", r.Monitor)
		if c := s.Optimizer.Common(); c != nil && r.MinLearningRate > s.Optimizer.LearningRate() {
			fs.at("schedule.reduce_on_plateau.min_learning_rate", "%v: want at most the learning rate, %v", r.MinLearningRate, s.Optimizer.LearningRate())
		}
	}
}

func (s *Spec) validateMonitor(fs *faults, path, figure string) {
	if !s.Data.Validates() {
		fs.at(path, "it follows the validation split: want data.split.validation above 0, or data.validation")
	}
	allowed := []string{LossFigure}
	for _, m := range s.Metrics {
		if string(m) == figure {
			return
		}
		allowed = append(allowed, string(m))
	}
	if figure != LossFigure {
		fs.at(path+".monitor", "%.64q: want one of %s (of loss and metrics)", figure, strings.Join(allowed, ", "))
	}
}
