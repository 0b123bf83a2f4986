package tabular_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// records reads a whole file: the header, then the rows.
func records(t require.TestingT, text string, o *job.CSVOptions) (rows [][]string, f *tabular.CSV, err error) {
	s, err := tabular.Open(testContext, iotest.HalfReader(strings.NewReader(text)), 0)
	require.NoError(t, err)
	defer s.Close()
	if f, err = tabular.OpenCSV(s, o, ""); err != nil {
		return nil, nil, err
	}
	rows = append(rows, f.Header)
	for {
		record, err := f.Next()
		if errors.Is(err, io.EOF) {
			return rows, f, nil
		}
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, append([]string{}, record...))
	}
}

func utf16le(text string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(text)) {
		b.Write([]byte{byte(u), byte(u >> 8)})
	}
	return b.String()
}

func utf16be(text string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(text)) {
		b.Write([]byte{byte(u >> 8), byte(u)})
	}
	return b.String()
}

func TestFilesAsPeopleHaveThem(t *testing.T) {
	no := false
	ab := [][]string{{"a", "b"}, {"1", "x"}, {"2", "y"}}
	for name, c := range map[string]struct {
		text     string
		options  *job.CSVOptions
		want     [][]string
		detected string
	}{
		"plain":                      {"a,b\n1,x\n2,y\n", nil, ab, ""},
		"semicolons":                 {"a;b\n1;x\n2;y\n", nil, ab, `separated by ";"`},
		"tabs":                       {"a\tb\n1\tx\n2\ty", nil, ab, `separated by "\t"`},
		"bars after blank lines":     {"\n\na|b\n1|x\n\n2|y", nil, ab, `separated by "|"`},
		"a comma in a quoted header": {"\"a,c\";b\n1;x\n", nil, [][]string{{"a,c", "b"}, {"1", "x"}}, `separated by ";"`},
		"decimal commas":             {"a;b\n1,5;x\n2,5;y\n", nil, [][]string{{"a", "b"}, {"1,5", "x"}, {"2,5", "y"}}, `separated by ";"`},
		"two delimiters":             {"a;b|c\n", &job.CSVOptions{Delimiter: "|"}, [][]string{{"a;b", "c"}}, ""},
		"rows of other numbers":      {"a;b\n\"1;2\"\n", nil, [][]string{{"a;b"}, {"1;2"}}, ""},
		"semicolons by option":       {"a;b,c\n1;x\n", &job.CSVOptions{Delimiter: ";"}, [][]string{{"a", "b,c"}, {"1", "x"}}, ""},
		"whitespace":                 {"  a   b\n1\t x \n 2 y\r\n", &job.CSVOptions{Delimiter: job.Whitespace}, ab, ""},
		"carriage returns":           {"a,b\r1,x\r2,y\r", nil, ab, "end with a carriage return"},
		"carriage returns, tabs":     {"a\tb\r1\t\"x\ry\"\r", nil, [][]string{{"a", "b"}, {"1", "x\ry"}}, "end with a carriage return"},
		"windows lines":              {"a,b\r\n1,x\r\n2,y\r\n", nil, ab, ""},
		"a mark":                     {"\xef\xbb\xbfa,b\n1,x\n2,y\n", nil, ab, ""},
		"UTF-16":                     {"\xff\xfe" + utf16le("a,b\n1,ä😀\n"), nil, [][]string{{"a", "b"}, {"1", "ä😀"}}, "encoded as utf-16le"},
		"UTF-16, big-endian":         {"\xfe\xff" + utf16be("a;b\r\n1;ä😀\r\n"), nil, [][]string{{"a", "b"}, {"1", "ä😀"}}, "encoded as utf-16be"},
		"UTF-16 by option":           {utf16le("a,b\n1,ä"), &job.CSVOptions{Encoding: job.UTF16}, [][]string{{"a", "b"}, {"1", "ä"}}, ""},
		"UTF-16 by option and mark":  {"\xfe\xff" + utf16be("a,b\n1,ä"), &job.CSVOptions{Encoding: job.UTF16}, [][]string{{"a", "b"}, {"1", "ä"}}, ""},
		"latin-1":                    {"a,b\n1,\xe4\n", &job.CSVOptions{Encoding: job.Latin1}, [][]string{{"a", "b"}, {"1", "ä"}}, ""},
		"windows-1252":               {"a,b\n1,\x80\xe4\n", &job.CSVOptions{Encoding: job.Windows1252}, [][]string{{"a", "b"}, {"1", "€ä"}}, ""},
		"no header":                  {"1,x\n2,y\n", &job.CSVOptions{Header: &no}, [][]string{{"x0", "x1"}, {"1", "x"}, {"2", "y"}}, ""},
		"given names":                {"1,x\n2,y\n", &job.CSVOptions{Header: &no, Names: []string{"a", "b"}}, ab, ""},
		"other names":                {"c,d\n1,x\n2,y\n", &job.CSVOptions{Names: []string{"a", "b"}}, ab, ""},
		"comments":                   {"# by hand\na,b\n1,x # one\n#\n2,y\n", &job.CSVOptions{Comment: "#", Trim: true}, ab, ""},
		"a quoted comment":           {"a,b\n1,\"x#\"\n", &job.CSVOptions{Comment: "#"}, [][]string{{"a", "b"}, {"1", "x#"}}, ""},
		"single quotes":              {"a,b\n1,'x,''y'' \"z\"'\n", &job.CSVOptions{Quote: "'"}, [][]string{{"a", "b"}, {"1", `x,'y' "z"`}}, ""},
		"no quotes":                  {"a,b\n1,5\" pipe\n", &job.CSVOptions{Quote: job.NoQuote}, [][]string{{"a", "b"}, {"1", `5" pipe`}}, ""},
		"blanks":                     {" a , b\n 1 , \"x\"\n", &job.CSVOptions{Trim: true}, [][]string{{"a", "b"}, {"1", "x"}}, ""},
		"empty cells between tabs":   {"a\tb\tc\n\t\t3\n", &job.CSVOptions{Trim: true}, [][]string{{"a", "b", "c"}, {"", "", "3"}}, `separated by "\t"`},
		"an index":                   {",a\n0,x\n", nil, [][]string{{"Unnamed: 0", "a"}, {"0", "x"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rows, f, err := records(t, c.text, c.options)
			require.NoError(t, err)
			require.Equal(t, c.want, rows)
			if c.detected == "" {
				require.Empty(t, f.Detected)
			} else {
				require.Contains(t, strings.Join(f.Detected, "\n"), c.detected)
			}
		})
	}
}

func TestFilesThatAreRefusedNameTheRemedy(t *testing.T) {
	no := false
	for text, c := range map[string]struct {
		options *job.CSVOptions
		want    string
	}{
		"a,b\n1,\"2\"x\n":       {nil, "if quotes are text, set data.csv.quote to none"},
		"a,\xe4\n":              {nil, "set data.csv.encoding (latin-1, windows-1252, …)"},
		utf16le("a,b\n1,2\n"):   {nil, "if the file is UTF-16, set data.csv.encoding to utf-16le or utf-16be"},
		"a;b,c\n1;2\n":          {nil, `1 cells, the header has 2: if ";" separates them, set data.csv.delimiter`},
		"a,a\n1,2\n":            {nil, "or in data.csv.names"},
		"1,2\n":                 {&job.CSVOptions{Header: &no, Names: []string{"a"}}, "line 1: 2 cells, data.csv.names has 1 names"},
		"a,b\n1,\x81\n":         {&job.CSVOptions{Encoding: job.Windows1252}, "character 7: it is not in the encoding of the file"},
		"\xff\xfea\x00,\x00b":   {nil, "it is not in the encoding of the file"},
		"\xff\xfea\x00\x00\xd8": {nil, "it is not in the encoding of the file"},
		"a,b\n1,\x00\n":         {&job.CSVOptions{Quote: job.NoQuote}, "a zero byte"},
	} {
		_, _, err := records(t, text, c.options)
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, c.want, text)
	}
}

// A file in another dialect has the records of the plain file.
func TestDialectsAreOneTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(2, 4).Draw(t, "width")
		cell := rapid.StringMatching(`[a-c "',;|#\t\n]{0,4}`)
		table := [][]string{[]string{"a", "b", "c", "d"}[:width]}
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			row := make([]string, width)
			for i := range row {
				row[i] = cell.Draw(t, "cell")
			}
			table = append(table, row)
		}
		delimiter := rapid.SampledFrom([]string{",", ";", "\t", "|"}).Draw(t, "delimiter")
		quote := rapid.SampledFrom([]job.Quote{`"`, "'"}).Draw(t, "quote")
		comment := rapid.SampledFrom([]job.Comment{"", "#"}).Draw(t, "comment")
		wide := rapid.Bool().Draw(t, "UTF-16")
		text := written(table, delimiter, string(quote), string(comment))
		o := &job.CSVOptions{Quote: quote, Comment: comment}
		if wide {
			text = "\xff\xfe" + utf16le(text)
		}
		got, _, err := records(t, text, o)
		require.NoError(t, err, "%q", text)
		require.Equal(t, table, got, "%q", text)
	})
}

// written writes a table with all cells of rows in quotes.
func written(table [][]string, delimiter, quote, comment string) string {
	var b strings.Builder
	for i, row := range table {
		for j, cell := range row {
			if j > 0 {
				b.WriteString(delimiter)
			}
			if i == 0 {
				b.WriteString(cell)
				continue
			}
			b.WriteString(quote + strings.ReplaceAll(cell, quote, quote+quote) + quote)
		}
		if comment != "" {
			b.WriteString(comment + " a comment, with \" and '")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Any bytes with any options give records of as many cells as the header, or a fault.
func FuzzOpenCSV(f *testing.F) {
	f.Add([]byte("a;b\n1,5;2\n"), "", "", "", "", false)
	f.Add([]byte("\xff\xfea\x00,\x00b\x00\n\x00"), "utf-16", "#", "'", "whitespace", true)
	f.Fuzz(func(t *testing.T, text []byte, encoding, comment, quote, delimiter string, flag bool) {
		o := &job.CSVOptions{Header: &flag, Trim: flag}
		o.Encoding = word(o.Encoding.Allowed(), job.Encoded(encoding))
		o.Comment = word(o.Comment.Allowed(), job.Comment(comment))
		o.Quote = word(o.Quote.Allowed(), job.Quote(quote))
		o.Delimiter = word(o.Delimiter.Allowed(), job.Delimiter(delimiter))
		rows, _, err := records(t, string(text), o)
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			return
		}
		for _, row := range rows {
			require.Len(t, row, len(rows[0]))
		}
	})
}

// word returns one of the allowed words, or none.
func word[S ~string](allowed []string, s S) S {
	n := len(s) % (len(allowed) + 1)
	if n == len(allowed) {
		return ""
	}
	return S(allowed[n])
}
