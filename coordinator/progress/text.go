package progress

import (
	"fmt"
	"math"
	"time"
)

// head returns phase, steps and time left, the start of a plain line.
func (v view) head() []string {
	var out []string
	if v.Phase != "" {
		out = append(out, v.Phase)
	}
	if v.Steps > 0 {
		out = append(out, fmt.Sprintf("step %d/%d", v.Step, v.Steps))
	}
	if v.known {
		out = append(out, clock(v.left)+" left")
	}
	return out
}

// details returns the texts below the bar. What the job waits for comes first, because a
// narrow terminal cuts off the end.
func (v view) details() []string {
	var out []string
	if v.Message != "" {
		out = append(out, v.Message)
	}
	if v.Loss != nil {
		out = append(out, "loss "+Figure(*v.Loss))
	}
	if v.Metric != "" {
		out = append(out, v.Metric+" "+Figure(v.MetricValue))
	}
	if v.SamplesPerSecond > 0 {
		out = append(out, count(v.SamplesPerSecond)+" samples/s")
	}
	switch {
	case v.Workers == 1:
		out = append(out, "1 worker")
	case v.Workers > 1:
		out = append(out, fmt.Sprintf("%d workers", v.Workers))
	}
	return out
}

// Figure formats a loss or metric with four digits.
func Figure(x float64) string {
	if a := math.Abs(x); a >= 1e-3 && a < 1e4 {
		return fmt.Sprintf("%.*f", max(0, 3-int(math.Floor(math.Log10(a)))), x)
	}
	return fmt.Sprintf("%.4g", x)
}

// count formats a rate with three digits and a unit.
func count(x float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if x >= 0.9995*u.size {
			return fmt.Sprintf("%.3g", x/u.size) + u.name
		}
	}
	return fmt.Sprintf("%.3g", x)
}

// clock formats a duration as m:ss or h:mm:ss.
func clock(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// cut shortens a line to a number of columns, with an ellipsis at the cut.
// Each rune counts as one column.
func cut(s string, columns int) string {
	r := []rune(s)
	if len(r) <= columns {
		return s
	}
	if columns < 1 {
		return ""
	}
	return string(r[:columns-1]) + "…"
}
