package job

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// validateCSV checks how files are written, and what columns mean.
func (d *Data) validateCSV(fs *faults) {
	csv, columns := d.CSV != nil, d.Columns != nil
	switch {
	case d.Inline != nil || d.Format == IDX || d.Format == NumPy:
		if columns {
			fs.at("data.columns", "only for %s", formatsOf(namedFormats))
		}
		fallthrough
	case d.Format != CSV && d.Format != "":
		if csv {
			fs.at("data.csv", "only for format csv")
		}
	}
	if o := d.CSV; csv && o.Thousands != "" && string(o.Thousands) == string(o.point()) {
		fs.at("data.csv.thousands", "%q: it is the decimal point as well, want another data.csv.decimal", string(o.Thousands))
	}
	if n := len(d.Columns); n > maxColumnSpecs {
		fs.at("data.columns", "%d columns: want at most %d", n, maxColumnSpecs)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(d.Columns)) {
		c := d.Columns[name]
		path := fmt.Sprintf("data.columns.%.80s", name)
		c.validate(fs, path)
		if slices.Contains(d.Label, name) && (c.Type != NumberColumn && c.Type != CategoryColumn) {
			fs.at(path+".type", "%s: want number or category: this is the label", c.Type)
		}
		if c.Hash != 0 && slices.Contains(d.Label, name) {
			fs.at(path+".hash", "%d: this is the label, whose classes are not hashed", c.Hash)
		}
		if name == d.Weight && name != "" && c.Type != NumberColumn {
			fs.at(path+".type", "%s: want number: this is the weight", c.Type)
		}
	}
}

// maxColumnSpecs limits the columns of a spec, as the lists of a spec are limited.
const maxColumnSpecs = 4096

func (c *ColumnSpec) validate(fs *faults, path string) {
	switch {
	case c.Hash == 0:
	case c.Type != CategoryColumn:
		fs.at(path+".hash", "%d: only for type category", c.Hash)
	case c.Hash < MinHash || c.Hash > MaxHash:
		fs.at(path+".hash", "%d: want %d to %d buckets", c.Hash, MinHash, MaxHash)
	}
	if c.Type == DateColumn {
		if len(c.Parts) == 0 {
			fs.at(path+".parts", "missing: want the parts of the date that become columns, of %s", commas(Year.Allowed()))
		}
		if _, err := DateLayout(c.Format); err != nil {
			fs.at(path+".format", "%.80q: %v", c.Format, err)
		}
		return
	}
	for _, f := range []named{{"parts", joined(c.Parts)}, {"as", string(c.As)}, {"format", c.Format}} {
		if f.value != "" {
			fs.at(path+"."+f.name, "%.80q: only for type date", f.value)
		}
	}
}

func joined(parts []DatePart) string {
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = string(p)
	}
	return commas(words)
}

// point returns the decimal point that is known before the file is read.
func (o *CSVOptions) point() Decimal {
	if o.Decimal == "" {
		return "."
	}
	return o.Decimal
}

// dateCodes are the codes of strptime, and what package time has for them.
var dateCodes = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "1", 'd': "2", 'b': "Jan", 'B': "January", 'H': "15", 'I': "3", 'M': "4", 'S': "5",
	'p': "PM", 'j': "002", 'z': "-0700", 'Z': "MST", 'a': "Mon", 'A': "Monday", '%': "%",
}

// DateLayout returns the layout of package time for a format with codes of strptime.
// Digits and letters outside of codes are refused, because package time would read some of
// them as codes.
func DateLayout(format string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case c == '%' && i+1 < len(format) && dateCodes[format[i+1]] != "":
			i++
			out.WriteString(dateCodes[format[i]])
		case c == '%':
			return "", fmt.Errorf("the code %.2q: want one of %s", format[i:], dateCodeList())
		case c == 'T' && i > 0 || strings.IndexByte(" -/.,:_", c) >= 0:
			out.WriteByte(c)
		default:
			return "", fmt.Errorf("%.1q: want codes of strptime (%s), with T, blanks and -/.,:_ between them", format[i:], dateCodeList())
		}
	}
	return out.String(), nil
}

func dateCodeList() string {
	codes := make([]string, 0, len(dateCodes))
	for c := range dateCodes {
		codes = append(codes, "%"+string(rune(c)))
	}
	slices.Sort(codes)
	return strings.Join(codes, " ")
}
