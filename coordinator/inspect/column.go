package inspect

import (
	"cmp"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// column is what one pass over the source keeps of a column. Its memory is bounded by room.
type column struct {
	room
	texts *counter
	// How the numbers are written is known only at the end. So there is a description for
	// each way in which the cells so far can be read.
	plain   *numbers
	others  []*written
	dates   []*written // by layout
	noDate  bool       // a cell is no date in any layout
	yes     int64      // cells that are words for yes or no
	filled  int64      // cells that are not missing
	bytes   int64      // of them
	words   int64      // of them, separated by blanks
	longest int
	pattern uint64 // equal for columns whose cells are equal except for their names; while texts is exact
	content uint64 // equal for columns with equal cells
	clock   bool   // a text has a time of day
}

// written is the description of numbers that are written in a form.
type written struct {
	form dataset.Form
	*numbers
}

// room bounds what is kept of a column.
type room struct{ texts, sample int }

// Memory is about the largest number of bytes that an inspection keeps of all columns, if the
// request does not say less.
const Memory = 192 << 20

// roomFor divides the memory among columns.
func roomFor(columns, memory int) room {
	each := memory / max(columns, 1)
	return room{texts: max(64, min(4096, each/2/160)), sample: max(256, min(1<<15, each/2/8/3))}
}

func newColumn(r room) *column {
	return &column{room: r, texts: newCounter(r.texts), plain: newNumbers(r.sample)}
}

// missing counts a missing cell.
func (c *column) missing() { c.chain(0, 0) }

// chain adds a cell to the digests of the column.
func (c *column) chain(pattern, content uint64) {
	c.pattern = scatter(c.pattern ^ pattern)
	c.content = scatter(c.content ^ content)
}

// add counts a cell that is not missing in every column.
func (c *column) add(cell string, base *dataset.Form, row int64) {
	c.filled++
	c.bytes += int64(len(cell))
	c.longest = max(c.longest, len(cell))
	c.chain(c.texts.add(cell)+1, xxhash.Sum64String(cell)|1)
	x, kind := base.Number(cell)
	switch kind {
	case dataset.Finite:
		c.number(x, row)
		if x == 0 || x == 1 {
			c.yes++
		}
		c.asDate(cell, row)
	case dataset.NonFinite:
	case dataset.NotANumber:
		c.text(cell, base, row)
	}
}

// number adds a plain number to all descriptions.
func (c *column) number(x float64, row int64) {
	c.plain.add(x, row)
	for _, w := range c.others {
		w.add(x, row)
	}
}

// text looks for a number or a date in a text.
func (c *column) text(cell string, base *dataset.Form, row int64) {
	c.words += int64(len(strings.Fields(cell[:min(len(cell), 4096)])))
	if _, kind := yesForm.Number(cell); kind == dataset.Finite {
		c.yes++
	}
	if base == nil && strings.Contains(cell, ",") {
		c.under(dataset.Form{Decimal: ","}, cell, row)
		c.under(dataset.Form{Thousands: ","}, cell, row)
	}
	if sign := dataset.SignOf(cell); sign != "" {
		form := dataset.Form{Sign: sign}
		if base != nil {
			form.Decimal, form.Thousands = base.Decimal, base.Thousands
		} else {
			form.Thousands = ","
		}
		c.under(form, cell, row)
	}
	c.asDate(cell, row)
}

var yesForm = &dataset.Form{Boolean: true}

// maxForms bounds the ways in which numbers may be written.
const maxForms = 4

// under adds a number that is written in a form.
func (c *column) under(form dataset.Form, cell string, row int64) {
	x, kind := form.Number(cell)
	if kind != dataset.Finite {
		return
	}
	for _, w := range c.others {
		if w.form == form {
			w.add(x, row)
			return
		}
	}
	if len(c.others) == maxForms {
		return
	}
	w := &written{form, c.plain.clone()}
	w.add(x, row)
	c.others = append(c.others, w)
}

// asDate reads a cell as a date, in the layouts in which all cells so far are dates.
func (c *column) asDate(cell string, row int64) {
	if c.noDate || dataset.PandasMissing(cell) {
		return
	}
	if c.dates == nil {
		for _, layout := range dataset.DateLayouts {
			if t, ok := dataset.ParseDate(cell, layout); ok {
				w := &written{dataset.Form{Layout: layout}, newNumbers(c.sample)}
				w.add(float64(t.Unix()), row)
				c.dates = append(c.dates, w)
			}
		}
		c.noDate = len(c.dates) == 0
	} else {
		kept := c.dates[:0]
		for _, w := range c.dates {
			if t, ok := dataset.ParseDate(cell, w.form.Layout); ok {
				w.add(float64(t.Unix()), row)
				kept = append(kept, w)
			}
		}
		c.dates, c.noDate = kept, len(kept) == 0
	}
	c.clock = c.clock || strings.Contains(cell, ":")
}

// described returns the description of the numbers of a column of training.
func (c *column) described(of dataset.Column) *Numbers {
	form := dataset.Form{}
	if of.Form != nil {
		form = *of.Form
		form.NA = false
	}
	if of.Thousands {
		form.Thousands = ","
	}
	for _, w := range c.others {
		same := w.form
		if form.Sign != "" && form.Thousands == "" && form.Decimal == "" {
			same.Thousands = ""
		}
		if same == form {
			return w.describe()
		}
	}
	return c.plain.describe()
}

// isText reports whether the texts are sentences rather than names.
func (c *column) isText(distinct int64) bool {
	texts := c.filled - c.plain.n
	return texts > 0 && 2*texts > c.filled && 2*distinct > c.filled && c.filled >= 20 && (c.words >= 4*texts || c.bytes >= 60*c.filled)
}

// observer keeps the columns of a source.
type observer struct {
	names   []string
	columns []*column // at most maxColumns
	base    *dataset.Form
	options *job.CSVOptions
	rows    int64
	memory  int
	seen    map[uint64]struct{} // digests of rows
	again   int64               // rows that are equal to an earlier one
	lost    bool                // seen is full
}

// maxColumns is the largest number of columns that are described.
const maxColumns = 4096

// maxSeen is the largest number of rows among which equal ones are counted.
const maxSeen = 1 << 20

// Begin implements ingest.Observer.
func (o *observer) Begin(names []string, form *dataset.Form, options *job.CSVOptions) error {
	o.names, o.base, o.options, o.seen = names, form, options, map[uint64]struct{}{}
	r := roomFor(min(len(names), maxColumns), cmp.Or(o.memory, Memory))
	for range min(len(names), maxColumns) {
		o.columns = append(o.columns, newColumn(r))
	}
	return nil
}

// Row implements ingest.Observer.
func (o *observer) Row(cells []string, at []int) {
	o.rows++
	for j, c := range o.columns {
		cell := cells[at[j]]
		if dataset.IsMissing(cell, o.options) {
			c.missing()
			continue
		}
		if o.options != nil && o.options.Trim {
			cell = strings.TrimSpace(cell)
		}
		if !utf8.ValidString(cell) {
			cell = strings.ToValidUTF8(cell, "\ufffd")
		}
		c.add(cell, o.base, o.rows)
	}
	if o.lost {
		return
	}
	var digest uint64
	for _, i := range at {
		digest = scatter(digest ^ xxhash.Sum64String(cells[i]))
	}
	o.repeat(digest)
}

// repeat counts a row that is equal to an earlier one.
func (o *observer) repeat(digest uint64) {
	if _, ok := o.seen[digest]; ok {
		o.again++
		return
	}
	if o.lost = len(o.seen) == maxSeen; o.lost {
		o.seen = nil
		return
	}
	o.seen[digest] = struct{}{}
}

// Numbers implements ingest.Observer.
func (o *observer) Numbers(row []float64) {
	o.rows++
	var digest uint64
	for j, x := range row {
		text := ""
		if !math.IsNaN(x) {
			text = dataset.FormatNumber(x)
		}
		digest = scatter(digest ^ xxhash.Sum64String(text))
		if j >= len(o.columns) {
			continue
		}
		c := o.columns[j]
		if text == "" {
			c.missing()
			continue
		}
		c.filled++
		c.bytes += int64(len(text))
		c.chain(c.texts.add(text)+1, xxhash.Sum64String(text)|1)
		c.number(x, o.rows)
		c.noDate = true
	}
	if !o.lost {
		o.repeat(digest)
	}
}
