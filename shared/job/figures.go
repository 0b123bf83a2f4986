package job

import (
	"fmt"
	"maps"
	"math"
)

// LossFigure is the name of the loss among the metrics of a split.
const LossFigure = "loss"

// FiniteFigures parts metrics by name into those that are finite and, for all others, a
// sentence that says why there is no value. undefined has such sentences already; it may be
// nil. JSON can hold both results, which are the caller's; the second is nil when it is empty.
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
