// Package report defines the form of a finished job's curves: metrics.jsonl for programs,
// an event file for TensorBoard, loss.svg and loss.png for people.
//
// It owns the format of the lines and the plot: smoothing, thinning and scales. It does
// no I/O. Package run calls it with a job's losses and evaluations, and writes the files
// beside the model.
//
// Invariant: the same curves give the same bytes. Only timing.jsonl and the event file,
// which package train adds, depend on the times of a run.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"

	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/monitor"
	"tributary/shared/readable"
)

// The names of a report's files.
const (
	MetricsFile = "metrics.jsonl"
	SVGFile     = "loss.svg"
	PNGFile     = "loss.png"
)

// Curves holds the losses and evaluations of a training.
type Curves struct {
	Spec        job.Spec             // title, units and the metric to draw
	Losses      []Point              // in order of Step
	Evaluations []monitor.Evaluation // in order of Step
	// Best is the step of the evaluation whose parameters the model has; 0: the last ones.
	Best int64
	// Rate returns the learning rate of the step after so many steps. nil: it is left out.
	Rate func(step int64) float64
	// Epoch returns the epoch of the step after so many steps, 1 for the first. nil: it is
	// left out.
	Epoch func(step int64) int64
}

// Point is the training loss of one step's batch, with the parameters before the step.
type Point struct {
	Step int64 // steps committed, including this one: 1 for the first
	Loss float64
}

// Files returns the report's files by name. If no step had a finite loss, the curves
// cannot be drawn and the report has only its metrics. If the picture fails, even by a
// panic, Files returns the metrics and the error.
func Files(c Curves) (map[string][]byte, error) {
	files := map[string][]byte{MetricsFile: MetricsJSONL(c)}
	if !c.drawable() {
		return files, nil
	}
	var svg, png []byte
	err := lifecycle.Contain("plot", func() (err error) {
		svg, png, err = Plot(c)
		return err
	})
	if err != nil {
		return files, err
	}
	files[SVGFile], files[PNGFile] = svg, png
	return files, nil
}

// number is a float64 in JSON, null if it is not finite.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// MetricsJSONL returns one JSON object per line, in order of steps. Each step has
// {"step","epoch","loss","learning_rate"}. Each evaluation has {"step","split","metrics"} after the step that it
// follows, with "undefined" if a metric could not be computed. A loss of NaN or an
// infinity is null.
func MetricsJSONL(c Curves) []byte {
	var out bytes.Buffer
	e := 0
	evaluations := func(before int64) {
		for ; e < len(c.Evaluations) && c.Evaluations[e].Step < before; e++ {
			v := c.Evaluations[e]
			v.Metrics, v.Undefined = job.FiniteFigures(v.Metrics, v.Undefined)
			line(&out, v)
		}
	}
	for _, p := range c.Losses {
		evaluations(p.Step)
		l := struct {
			Step  int64   `json:"step"`
			Epoch int64   `json:"epoch,omitempty"`
			Loss  number  `json:"loss"`
			Rate  *number `json:"learning_rate,omitempty"`
		}{Step: p.Step, Loss: number(p.Loss)}
		if c.Epoch != nil {
			l.Epoch = c.Epoch(p.Step - 1)
		}
		if c.Rate != nil {
			rate := number(c.Rate(p.Step - 1))
			l.Rate = &rate
		}
		line(&out, l)
	}
	evaluations(math.MaxInt64)
	return out.Bytes()
}

// line appends v, which has only numbers and strings.
func line(out *bytes.Buffer, v any) {
	data, err := readable.JSON(v)
	if err != nil {
		panic(fmt.Sprintf("report: a line of numbers and strings: %v", err))
	}
	out.Write(append(data, '\n'))
}
