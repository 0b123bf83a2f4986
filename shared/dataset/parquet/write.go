package parquet

import (
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"

	"tributary/shared/job"
)

// Type is the type of a column that a Writer writes.
type Type uint8

// The types.
const (
	TextType  Type = iota // UTF-8, may be missing
	IntType               // 64 bits
	FloatType             // 32 bits
	RealType              // 64 bits
)

// Column is a column that a Writer writes.
type Column struct {
	Name string
	Type Type
}

// groupValues is the number of values of a row group, which is in memory until it is whole.
const groupValues = 1 << 20

// Writer writes rows as a Parquet file with flat columns in the given order. It needs the
// memory of a row group, for any number of rows.
type Writer struct {
	out     *pq.GenericWriter[any]
	columns []Column
	row     pq.Row
	rows    int // of the row group
}

// NewWriter returns a writer to w. The caller closes it after the last row. It fails with
// job.ErrInvalid if two columns have one name.
func NewWriter(w io.Writer, columns []Column) (*Writer, error) {
	group := pq.Group{}
	for _, c := range columns {
		if _, twice := group[c.Name]; twice || c.Name == "" {
			return nil, fmt.Errorf("column %.80q: want a name, and each once: %w", c.Name, job.ErrInvalid)
		}
		var node pq.Node
		switch c.Type {
		case IntType:
			node = pq.Int(64)
		case FloatType:
			node = pq.Leaf(pq.FloatType)
		case RealType:
			node = pq.Leaf(pq.DoubleType)
		default:
			node = pq.Optional(pq.String())
		}
		group[c.Name] = pq.Compressed(node, &pq.Snappy)
	}
	schema := pq.NewSchema("rows", ordered{group, columns})
	return &Writer{out: pq.NewGenericWriter[any](w, schema, pq.PageBufferSize(256<<10)), columns: columns}, nil
}

// ordered is a group whose fields are in the order of the columns; those of a pq.Group are
// sorted by name.
type ordered struct {
	pq.Group
	columns []Column
}

// Fields returns the fields.
func (o ordered) Fields() []pq.Field {
	byName := make(map[string]pq.Field, len(o.columns))
	for _, f := range o.Group.Fields() {
		byName[f.Name()] = f
	}
	fields := make([]pq.Field, len(o.columns))
	for i, c := range o.columns {
		fields[i] = byName[c.Name]
	}
	return fields
}

// Write appends a row: of each column a string, an int, a float32 or a float64 as its type
// says, or nil for a missing text.
func (w *Writer) Write(row []any) error {
	w.row = w.row[:0]
	for i, x := range row {
		v, level := pq.Value{}, 0
		switch x := x.(type) {
		case nil:
		case string:
			v, level = pq.ByteArrayValue([]byte(x)), 1
		case int:
			v = pq.Int64Value(int64(x))
		case float32:
			v = pq.FloatValue(x)
		case float64:
			v = pq.DoubleValue(x)
		default:
			return fmt.Errorf("column %.80q: a value of type %T", w.columns[i].Name, x)
		}
		w.row = append(w.row, v.Level(0, level, i))
	}
	if _, err := w.out.WriteRows([]pq.Row{w.row}); err != nil {
		return err
	}
	if w.rows++; w.rows*len(w.columns) < groupValues {
		return nil
	}
	w.rows = 0
	return w.out.Flush()
}

// Close writes the rest and the footer. It does not close the file.
func (w *Writer) Close() error { return w.out.Close() }
