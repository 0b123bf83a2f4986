package parquet

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// textOf returns a function that writes the values of a column as the texts that a CSV
// file would have; "" is a missing value. It returns nil for a type that has no text.
// text reports that the cells are texts even if they look like numbers.
func textOf(e *format.SchemaElement) (write func(pq.Value) string, text bool) {
	logical := e.LogicalType.Value
	converted, hasConverted := e.ConvertedType.V, e.ConvertedType.Valid
	is := func(c deprecated.ConvertedType) bool { return hasConverted && converted == c }
	if decimal, ok := logical.(*format.DecimalType); ok || is(deprecated.Decimal) {
		scale := e.Scale.V
		if ok {
			scale = decimal.Scale
		}
		return decimalText(e.Type.V, scale), false
	}
	switch e.Type.V {
	case format.Boolean:
		return func(v pq.Value) string { return strconv.FormatBool(v.Boolean()) }, false
	case format.Int32, format.Int64:
		return integerText(e), false
	case format.Int96:
		return int96Text, false
	case format.Float:
		return func(v pq.Value) string { return Text(float64(v.Float())) }, false
	case format.Double:
		return func(v pq.Value) string { return Text(v.Double()) }, false
	case format.ByteArray:
		return func(v pq.Value) string { return string(v.ByteArray()) }, true
	case format.FixedLenByteArray:
		if _, ok := logical.(*format.Float16Type); ok && e.TypeLength.V == 2 {
			return func(v pq.Value) string { return Text(float16(binary.LittleEndian.Uint16(v.ByteArray()))) }, false
		}
	}
	return nil, false
}

// numberOf returns a function that converts the values of a column of floats; nil for any other.
func numberOf(e *format.SchemaElement) func(pq.Value) float64 {
	_, decimal := e.LogicalType.Value.(*format.DecimalType)
	switch {
	case decimal || e.ConvertedType.Valid:
		return nil
	case e.Type.V == format.Float:
		return func(v pq.Value) float64 { return float64(v.Float()) }
	case e.Type.V == format.Double:
		return pq.Value.Double
	default:
		return nil
	}
}

// Text returns the text of a float: that of NaN is empty.
func Text(x float64) string {
	if math.IsNaN(x) { // as pandas reads it
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// float16 converts a half-precision number.
func float16(b uint16) float64 {
	const bias, bias64 = 15, 1023
	sign, exponent, fraction := uint64(b>>15)<<63, uint64(b>>10&31), uint64(b&1023)
	switch {
	case exponent == 0:
		x := float64(float64(fraction) * 0x1p-24) // exact
		return math.Float64frombits(math.Float64bits(x) | sign)
	case exponent < 31:
		return math.Float64frombits(sign | (exponent+bias64-bias)<<52 | fraction<<42)
	case fraction != 0:
		return math.NaN()
	default:
		return math.Float64frombits(math.Float64bits(math.Inf(1)) | sign)
	}
}

// integerText writes integers, dates, times and timestamps.
func integerText(e *format.SchemaElement) func(pq.Value) string {
	number := func(v pq.Value) int64 { return v.Int64() }
	if e.Type.V == format.Int32 {
		number = func(v pq.Value) int64 { return int64(v.Int32()) }
	}
	unsigned := false
	var unit time.Duration
	stamp, clock, date := false, false, false
	switch l := e.LogicalType.Value.(type) {
	case *format.IntType:
		unsigned = !l.IsSigned
	case *format.DateType:
		date = true
	case *format.TimestampType:
		stamp, unit = true, unitOf(l.Unit)
	case *format.TimeType:
		clock, unit = true, unitOf(l.Unit)
	}
	if c := e.ConvertedType; c.Valid && e.LogicalType.Value == nil {
		switch c.V {
		case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
			unsigned = true
		case deprecated.Date:
			date = true
		case deprecated.TimestampMillis, deprecated.TimeMillis:
			unit = time.Millisecond
		case deprecated.TimestampMicros, deprecated.TimeMicros:
			unit = time.Microsecond
		default:
		}
		stamp = c.V == deprecated.TimestampMillis || c.V == deprecated.TimestampMicros
		clock = c.V == deprecated.TimeMillis || c.V == deprecated.TimeMicros
	}
	switch {
	case date:
		return func(v pq.Value) string {
			return time.Unix(0, 0).UTC().AddDate(0, 0, int(number(v))).Format(time.DateOnly)
		}
	case stamp:
		return func(v pq.Value) string { return stampText(number(v), unit) }
	case clock:
		return func(v pq.Value) string {
			return time.Unix(0, 0).UTC().Add(time.Duration(number(v)) * unit).Format("15:04:05.999999999")
		}
	case unsigned && e.Type.V == format.Int32:
		return func(v pq.Value) string { return strconv.FormatUint(uint64(v.Uint32()), 10) }
	case unsigned:
		return func(v pq.Value) string { return strconv.FormatUint(v.Uint64(), 10) }
	}
	return func(v pq.Value) string { return strconv.FormatInt(number(v), 10) }
}

func unitOf(u format.TimeUnit) time.Duration {
	switch u.Value.(type) {
	case *format.MilliSeconds:
		return time.Millisecond
	case *format.MicroSeconds:
		return time.Microsecond
	default:
		return time.Nanosecond
	}
}

// stampText writes a timestamp in units since 1970, as UTC or as a clock without a zone.
func stampText(x int64, unit time.Duration) string {
	per := int64(time.Second / unit)
	seconds, rest := x/per, x%per
	return time.Unix(seconds, rest*int64(unit)).UTC().Format("2006-01-02 15:04:05.999999999")
}

// int96Text writes a timestamp of Impala: nanoseconds of the day, and the Julian day.
func int96Text(v pq.Value) string {
	x := v.Int96()
	const julian1970 = 2440588
	nanos := int64(uint64(x[1])<<32 | uint64(x[0]))
	return time.Unix((int64(x[2])-julian1970)*86400, 0).UTC().Add(time.Duration(nanos)).Format("2006-01-02 15:04:05.999999999")
}

// decimalText writes decimals: integers divided by a power of ten.
func decimalText(kind format.Type, scale int32) func(pq.Value) string {
	if scale < 0 || scale > 100 {
		return nil
	}
	digits := func(v pq.Value) string {
		switch kind {
		case format.Int32:
			return strconv.FormatInt(int64(v.Int32()), 10)
		case format.Int64:
			return strconv.FormatInt(v.Int64(), 10)
		default:
			return bigEndian(v.ByteArray()).String()
		}
	}
	return func(v pq.Value) string {
		s := digits(v)
		body := strings.TrimPrefix(s, "-")
		sign := s[:len(s)-len(body)]
		if n := int(scale) + 1 - len(body); n > 0 {
			body = strings.Repeat("0", n) + body
		}
		if scale == 0 {
			return s
		}
		return sign + body[:len(body)-int(scale)] + "." + body[len(body)-int(scale):]
	}
}

// bigEndian reads an integer in two's complement of at most 32 bytes.
func bigEndian(b []byte) *big.Int {
	const most = 32
	x := new(big.Int).SetBytes(b[:min(len(b), most)])
	if len(b) > 0 && b[0]&0x80 != 0 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*min(len(b), most))))
	}
	return x
}
