package job

import (
	"fmt"
	"maps"
	"math"
)

// LossFigure is the name of the loss among a split's metrics.
const LossFigure = "loss"

// FiniteFigures splits metrics into those with a finite value and those without. For each
// metric without a value, why holds a sentence that gives the reason. undefined already
// has such sentences; it may be nil. JSON can hold both results. The caller owns them;
// why is nil when it is empty.
func FiniteFigures(figures map[string]float64, undefined map[string]string) (finite map[string]float64, why map[string]string) {
	finite, why = make(map[string]float64, len(figures)), maps.Clone(undefined)
	for name, v := range figures {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			finite[name] = v
			continue
		}
		if why == nil {
			why = map[string]string{}
		}
		if _, ok := why[name]; !ok {
			why[name] = fmt.Sprintf("it comes to %v, which is not a finite number: outputs, labels or their errors are too large", v)
		}
	}
	if len(why) == 0 {
		why = nil
	}
	return finite, why
}
