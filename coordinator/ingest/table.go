package ingest

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// table is a source in memory or on disk: raw cells before cleaning, and the label.
type table struct {
	rows    int
	columns []column
	cells   *cells
	label   label
	options *job.CSVOptions // of the source, or nil
	key     *keyColumn      // by which the rows are split, or nil
	sources []string        // the files
}

// column is a raw feature column.
type column struct {
	name string
	kind dataset.ColumnKind
	dict *dictionary // categorical: the cells are codes of this dictionary
	hash int         // buckets of a hashed column, whose cells are the hashes of texts; it has no dict

	thousands bool          // numeric: commas may separate the thousands of its cells
	form      *dataset.Form // how its cells are read, or nil
}

// input returns the name of the column of the source.
func (c *column) input() string {
	if c.form != nil && c.form.Of != "" {
		return c.form.Of
	}
	return c.name
}

// missing marks a missing cell. Numbers read from sources are never NaN.
var missing = math.NaN()

func isMissing(x float64) bool { return math.IsNaN(x) }

// dictionary numbers the texts of a column in the order of their first occurrence.
type dictionary struct {
	codes map[string]int32
	texts []string
	room  *textRoom
}

// textRoom is the number of bytes that further texts of a dataset may take in memory. Columns
// that are read at the same time share it.
type textRoom struct{ left atomic.Int64 }

func newTextRoom(bytes int64) *textRoom {
	r := &textRoom{}
	r.left.Store(bytes)
	return r
}

// take takes the room of a text. It reports whether there was room.
func (r *textRoom) take(text string) bool { return r.left.Add(-int64(len(text)+textCost)) >= 0 }

// Each different text takes its bytes and textCost in memory. All texts of a dataset take
// at most maxTexts.
const (
	maxTexts = 256 << 20
	textCost = 64
)

func newDictionary(room *textRoom) *dictionary {
	return &dictionary{codes: map[string]int32{}, room: room}
}

// code returns the text's number. It copies a new text.
func (d *dictionary) code(text string) (int32, error) {
	if c, ok := d.codes[text]; ok {
		return c, nil
	}
	switch {
	case len(d.texts) == dataset.MaxCategories:
		return 0, fmt.Errorf("over %d different texts: leave it out with data.drop, hash it (data.columns: {type: category, hash: n}), or write numbers, without leading zeros and below 2⁵³: %w", dataset.MaxCategories, job.ErrInvalid)
	case len(text) > dataset.MaxCategoryBytes:
		return 0, fmt.Errorf("text of %d bytes: at most %d are allowed: %w", len(text), dataset.MaxCategoryBytes, job.ErrInvalid)
	case !utf8.ValidString(text):
		return 0, notUTF8(text)
	case !d.room.take(text):
		return 0, fmt.Errorf("the different texts of all columns take over %d bytes (%d and its own for each): leave columns of text out with data.drop: %w",
			maxTexts, textCost, job.ErrInvalid)
	}
	c := int32(len(d.texts))
	text = strings.Clone(text)
	d.codes[text] = c
	d.texts = append(d.texts, text)
	return c, nil
}

func notUTF8(text string) error {
	return fmt.Errorf("text %.40q is not UTF-8: set data.csv.encoding (latin-1, windows-1252, …): %w", text, job.ErrInvalid)
}

// numbered returns numeric columns x0, x1, …, for sources without a header.
func numbered(n int) []column {
	cs := make([]column, n)
	for i := range cs {
		cs[i] = column{name: fmt.Sprintf("x%d", i), kind: dataset.Numeric}
	}
	return cs
}

// maxRows bounds the rows of a table, whose order takes up to 10 bytes of memory per row.
const maxRows = 1 << 27

// fits refuses a table whose cells need more than limit bytes of memory or file.
func fits(rows, columns, cellBytes int, limit int64) error {
	if rows > maxRows {
		return fmt.Errorf("%d rows: at most %d: %w", rows, maxRows, job.ErrInvalid)
	}
	if columns > 0 && int64(rows) > limit/int64(columns)/int64(cellBytes) {
		return fmt.Errorf("%d rows of %d columns: over the limit of %d bytes: %w", rows, columns, limit, job.ErrInvalid)
	}
	return nil
}
