package arrow

import (
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tributary/shared/dataset/tabular"
)

// kindOf returns what a type says about a column.
func kindOf(t arrow.DataType) tabular.Kind {
	switch t := t.(type) {
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType:
		return tabular.Text
	case *arrow.DictionaryType:
		if _, again := t.ValueType.(*arrow.DictionaryType); again {
			return tabular.Nested
		}
		return kindOf(t.ValueType)
	case *arrow.NullType, *arrow.BooleanType, *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type,
		*arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type, *arrow.Float16Type, *arrow.Float32Type, *arrow.Float64Type,
		*arrow.Date32Type, *arrow.Date64Type, *arrow.TimestampType, *arrow.Time32Type, *arrow.Time64Type, *arrow.Decimal128Type, *arrow.Decimal256Type:
		return tabular.Any
	default:
		return tabular.Nested
	}
}

// textsOf returns a function that writes the values of an array as a CSV file would have
// them; "" is a missing value.
func textsOf(a arrow.Array) func(i int) string {
	text := valuesOf(a)
	return func(i int) string {
		if a.IsNull(i) {
			return ""
		}
		return text(i)
	}
}

// valuesOf is textsOf for values that are not missing.
func valuesOf(a arrow.Array) func(i int) string {
	switch a := a.(type) {
	case *array.Boolean:
		return func(i int) string { return strconv.FormatBool(a.Value(i)) }
	case *array.Int8:
		return func(i int) string { return strconv.FormatInt(int64(a.Value(i)), 10) }
	case *array.Int16:
		return func(i int) string { return strconv.FormatInt(int64(a.Value(i)), 10) }
	case *array.Int32:
		return func(i int) string { return strconv.FormatInt(int64(a.Value(i)), 10) }
	case *array.Int64:
		return func(i int) string { return strconv.FormatInt(a.Value(i), 10) }
	case *array.Uint8:
		return func(i int) string { return strconv.FormatUint(uint64(a.Value(i)), 10) }
	case *array.Uint16:
		return func(i int) string { return strconv.FormatUint(uint64(a.Value(i)), 10) }
	case *array.Uint32:
		return func(i int) string { return strconv.FormatUint(uint64(a.Value(i)), 10) }
	case *array.Uint64:
		return func(i int) string { return strconv.FormatUint(a.Value(i), 10) }
	case *array.Float16:
		return func(i int) string { return floatText(float64(a.Value(i).Float32())) }
	case *array.Float32:
		return func(i int) string { return floatText(float64(a.Value(i))) }
	case *array.Float64:
		return func(i int) string { return floatText(a.Value(i)) }
	case array.StringLike:
		return a.Value
	case *array.Dictionary:
		texts := textsOf(a.Dictionary())
		return func(i int) string { return texts(a.GetValueIndex(i)) }
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		return func(i int) string { return a.Value(i).ToString(scale) }
	case *array.Decimal256:
		scale := a.DataType().(*arrow.Decimal256Type).Scale
		return func(i int) string { return a.Value(i).ToString(scale) }
	default:
		return timesOf(a)
	}
}

// timesOf is valuesOf for dates and times, and for types of missing values alone.
func timesOf(a arrow.Array) func(i int) string {
	const clock, stamp = "15:04:05.999999999", "2006-01-02 15:04:05.999999999"
	switch a := a.(type) {
	case *array.Date32:
		return func(i int) string { return a.Value(i).ToTime().UTC().Format(time.DateOnly) }
	case *array.Date64:
		return func(i int) string { return a.Value(i).ToTime().UTC().Format(time.DateOnly) }
	case *array.Timestamp:
		unit := a.DataType().(*arrow.TimestampType).Unit
		return func(i int) string { return a.Value(i).ToTime(unit).UTC().Format(stamp) }
	case *array.Time32:
		unit := a.DataType().(*arrow.Time32Type).Unit
		return func(i int) string { return a.Value(i).ToTime(unit).UTC().Format(clock) }
	case *array.Time64:
		unit := a.DataType().(*arrow.Time64Type).Unit
		return func(i int) string { return a.Value(i).ToTime(unit).UTC().Format(clock) }
	default:
		return func(int) string { return "" }
	}
}

// floatText writes a float as Parquet columns are written: NaN is missing, as pandas reads
// it.
func floatText(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
