// Package report is how a finished job's curves look: metrics.jsonl for
// programs, loss.svg and loss.png for people.
//
// It owns the lines' format and the plot: what is smoothed, thinned out,
// and on which scale. It does no I/O; run calls it with what a job's events
// told and writes the files beside the model.
//
// Invariant: the same curves give the same bytes.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"

	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/readable"
)

// The files a report becomes.
const (
	MetricsFile = "metrics.jsonl"
	SVGFile     = "loss.svg"
	PNGFile     = "loss.png"
)

// Curves is what training showed, step after step.
type Curves struct {
	Spec        job.Spec     // title, units and the metric to draw
	Losses      []Point      // in order of Step
	Evaluations []Evaluation // in order of Step
}

// Point is the training loss of one step's batch, under the parameters before
// the step.
type Point struct {
	Step int64 // steps committed with this one: 1 for the first
	Loss float64
}

// Evaluation is the metrics of a split, loss among them.
type Evaluation struct {
	Step      int64              `json:"step"` // steps committed
	Split     job.Split          `json:"split"`
	Metrics   map[string]float64 `json:"metrics"`
	Undefined map[string]string  `json:"undefined,omitempty"` // why a metric could not be computed, by name
}

// Files returns the report's files by name. A job whose curves cannot be drawn
// (no step had a finite loss) has only its metrics. When the picture fails, also by a
// panic, Files returns the metrics beside the error.
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

// number is a float64 in JSON, null when it is not finite.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// MetricsJSONL returns one JSON object per line, in order of steps: of every
// step {"step","loss"}, and of every evaluation {"step","split","metrics"}, with
// "undefined" where a metric could not be computed, after the step it followed. null
// stands for a loss of NaN or an infinity.
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
		line(&out, struct {
			Step int64  `json:"step"`
			Loss number `json:"loss"`
		}{p.Step, number(p.Loss)})
	}
	evaluations(math.MaxInt64)
	return out.Bytes()
}

// line appends v, which is made of numbers and strings alone.
func line(out *bytes.Buffer, v any) {
	data, err := readable.JSON(v)
	if err != nil {
		panic(fmt.Sprintf("report: a line of numbers and strings: %v", err))
	}
	out.Write(append(data, '\n'))
}
