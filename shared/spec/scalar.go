package spec

import (
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// The patterns of plain scalars, by the core schema of YAML 1.2.2, section 10.3.2. (The
// parser has its own rules: it reads 1e-3 as text and 010 as 8.)
var (
	coreDecimal = regexp.MustCompile(`^[-+]?[0-9]+$`)
	corePrefix  = regexp.MustCompile(`^0(o[0-7]+|x[0-9a-fA-F]+)$`)
	coreFloat   = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	coreInf     = regexp.MustCompile(`^[-+]?\.(inf|Inf|INF)$`)
)

// plain resolves a YAML scalar without quotes.
func (r *reader) plain(at *place, text string) any {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "true", "True", "TRUE":
		return true
	case "false", "False", "FALSE":
		return false
	case ".nan", ".NaN", ".NAN":
		r.fault(at, "%s: want a finite number", text)
		return nil
	}
	switch {
	case coreInf.MatchString(text):
		r.fault(at, "%s: want a finite number", text)
		return nil
	case coreDecimal.MatchString(text), coreFloat.MatchString(text):
		return r.number(at, text)
	case corePrefix.MatchString(text):
		n, _ := new(big.Int).SetString(text, 0)
		return r.number(at, n.String())
	default:
		return text
	}
}

// maxDigits bounds the length of integers that keep all their digits, such as identifiers
// in inline data.
const maxDigits = 64

// number writes a decimal number in one normal form. An integer that is written in digits
// keeps its digits. So does any integer that a 64-bit float holds exactly. All other
// numbers become what encoding/json writes for a float64. So 1, 1.0 and 1e0 have the same
// digest.
func (r *reader) number(at *place, text string) any {
	if coreDecimal.MatchString(text) && len(text) <= maxDigits {
		if n, ok := new(big.Int).SetString(text, 10); ok {
			return json.Number(n.String())
		}
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		r.fault(at, "%s: want a number within the range of a 64-bit float", cut(text))
		return nil
	}
	if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return json.Number(strconv.FormatInt(int64(x), 10))
	}
	form := byte('f')
	if a := math.Abs(x); a < 1e-6 || a >= 1e21 {
		form = 'e'
	}
	return json.Number(strings.Replace(strconv.FormatFloat(x, form, -1, 64), "e-0", "e-", 1))
}
