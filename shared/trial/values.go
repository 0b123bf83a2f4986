package trial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"tributary/shared/job"
)

// Values says which values a parameter may have. JSON: a list, or one of {"uniform": [a, b]},
// {"log_uniform": [a, b]} and {"int": [a, b]}.
type Values struct {
	List []any  // nil for a range
	Kind string // uniform | log_uniform | int
	A, B float64
}

// MarshalJSON implements json.Marshaler.
func (v Values) MarshalJSON() ([]byte, error) {
	if v.List != nil {
		return json.Marshal(v.List)
	}
	return json.Marshal(map[string][]float64{v.Kind: {v.A, v.B}})
}

// UnmarshalJSON reads the list or the range.
func (v *Values) UnmarshalJSON(data []byte) error {
	var list []any
	if err := json.Unmarshal(data, &list); err == nil {
		if len(list) < 1 || len(list) > maxChoices {
			return fmt.Errorf("a list of %d values: want 1 to %d: %w", len(list), maxChoices, job.ErrInvalid)
		}
		*v = Values{List: list}
		return nil
	}
	var ranges map[string][]float64
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&ranges); err == nil && len(ranges) == 1 {
		for kind, ends := range ranges {
			if r, ok := rangeOf(kind, ends); ok {
				*v = r
				return nil
			}
		}
	}
	return fmt.Errorf("%.80s: want a list, or one of {uniform: [a, b]}, {log_uniform: [a, b]} with a above 0, and {int: [a, b]}, a below b: %w", data, job.ErrInvalid)
}

func rangeOf(kind string, ends []float64) (Values, bool) {
	if len(ends) != 2 || !(ends[0] < ends[1]) || math.IsInf(ends[1]-ends[0], 0) {
		return Values{}, false
	}
	v := Values{Kind: kind, A: ends[0], B: ends[1]}
	switch kind {
	case "uniform":
		return v, true
	case "log_uniform":
		return v, v.A > 0
	case "int":
		const most = 1 << 40
		return v, v.A == math.Trunc(v.A) && v.B == math.Trunc(v.B) && math.Abs(v.A) < most && math.Abs(v.B) < most
	default:
		return v, false
	}
}

// draw returns a random value. Numbers of ranges have four digits, so that people can write
// them down.
func (v Values) draw(r *rand.Rand) any {
	switch {
	case v.List != nil:
		return v.List[r.IntN(len(v.List))]
	case v.Kind == "int":
		return v.A + float64(r.Int64N(int64(v.B-v.A)+1))
	case v.Kind == "log_uniform":
		return Digits(math.Exp(math.Log(v.A) + r.Float64()*(math.Log(v.B)-math.Log(v.A))))
	default:
		return Digits(v.A + r.Float64()*(v.B-v.A))
	}
}

// Digits rounds x to four digits.
func Digits(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64) // cannot fail
	return y
}

// Text shows a value to people.
func Text(v any) string {
	if x, ok := v.(float64); ok {
		return strconv.FormatFloat(x, 'g', 6, 64)
	}
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
