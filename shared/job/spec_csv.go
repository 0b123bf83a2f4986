package job

import (
	"encoding/json"
	"fmt"
	"slices"
)

// CSVOptions says how a CSV file is written. A field that is left out has its usual value,
// or the value that the file itself shows with certainty. The plan keeps the options, so
// that a model reads a file for prediction as it read the training file.
type CSVOptions struct {
	Delimiter Delimiter `json:"delimiter,omitempty" jsonschema_description:"what separates the cells; whitespace: any number of spaces and tabs; default: a comma, or what the header and the first rows show"`
	Decimal   Decimal   `json:"decimal,omitempty" jsonschema_description:"the decimal point of numbers; default: a point, or a comma if the cells show it"`
	Thousands Thousands `json:"thousands,omitempty" jsonschema_description:"what separates the thousands of numbers; default: a comma in columns where all cells agree"`
	Header    *bool     `json:"header,omitempty" jsonschema:"default=true" jsonschema_description:"false: the first line is a row; the columns are named by names, or x0, x1, …"`
	Names     []string  `json:"names,omitempty" jsonschema:"uniqueItems=true,minItems=1,maxItems=4096,minLength=1,maxLength=1024" jsonschema_description:"the names of all columns, in order, instead of the header's"`
	Encoding  Encoded   `json:"encoding,omitempty" jsonschema_description:"how characters are encoded; default: utf-8, or UTF-16 if the file begins with its byte order mark"`
	Comment   Comment   `json:"comment,omitempty" jsonschema_description:"the rest of a line after this character is not read"`
	Quote     Quote     `json:"quote,omitempty" jsonschema_description:"what encloses cells; none: quotes are text"`
	NA        *NA       `json:"na,omitempty" jsonschema_description:"the words of a missing value, beside the empty and the blank cell; pandas: its default list; default: NA, and in columns of numbers the list of pandas"`
	Trim      bool      `json:"trim,omitempty" jsonschema:"default=false" jsonschema_description:"leave out the blanks around each cell"`
}

// Delimiter separates the cells of a line.
type Delimiter string

// Whitespace is the delimiter of columns that any number of spaces and tabs separate.
const Whitespace Delimiter = "whitespace"

// Allowed lists the delimiters.
func (Delimiter) Allowed() []string {
	return list[Delimiter](",", ";", "\t", "|", ":", "^", "~", " ", Whitespace)
}

// Decimal is the decimal point of numbers.
type Decimal string

// Allowed lists the decimal points.
func (Decimal) Allowed() []string { return list[Decimal](".", ",") }

// Thousands separates the thousands of numbers.
type Thousands string

// Allowed lists the separators of thousands.
func (Thousands) Allowed() []string { return list[Thousands](",", ".", " ", "'", "_") }

// Encoded is a character encoding.
type Encoded string

// The character encodings.
const (
	UTF8        Encoded = "utf-8"
	UTF16       Encoded = "utf-16" // with a byte order mark; little-endian without it
	UTF16LE     Encoded = "utf-16le"
	UTF16BE     Encoded = "utf-16be"
	Latin1      Encoded = "latin-1"
	Windows1252 Encoded = "windows-1252"
)

// Allowed lists the encodings.
func (Encoded) Allowed() []string {
	return list(UTF8, UTF16, UTF16LE, UTF16BE, Latin1, Windows1252)
}

// Comment begins a comment.
type Comment string

// Allowed lists the characters of comments.
func (Comment) Allowed() []string { return list[Comment]("#", "%", "!", "*") }

// Quote encloses cells.
type Quote string

// NoQuote says that quotes are text.
const NoQuote Quote = "none"

// Allowed lists the quotes.
func (Quote) Allowed() []string { return list[Quote](`"`, "'", NoQuote) }

// NA lists the words that stand for a missing value. JSON: "pandas" or a list of words.
type NA struct {
	Pandas bool
	Words  []string
}

// pandasNA is the word for the list of pandas.
const pandasNA = "pandas"

// The limits of NA.Words.
const (
	MaxNAWords = 256
	MaxNAWord  = 256 // characters
)

// PandasNA are the texts that pandas.read_csv takes for missing values by default, without
// the empty one, sorted.
func PandasNA() []string {
	return []string{
		"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
		"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
	}
}

// List returns the words.
func (n *NA) List() []string {
	if n.Pandas {
		return PandasNA()
	}
	return n.Words
}

// AllowedLists says that a field is one of the words, or a list of at most most texts of
// at most length characters.
func (NA) AllowedLists() (words []string, most, length int) {
	return []string{pandasNA}, MaxNAWords, MaxNAWord
}

// MarshalJSON writes "pandas" or the list.
func (n NA) MarshalJSON() ([]byte, error) {
	if n.Pandas {
		return json.Marshal(pandasNA)
	}
	return json.Marshal(append([]string{}, n.Words...))
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (n *NA) UnmarshalJSON(data []byte) error {
	var word string
	if json.Unmarshal(data, &word) == nil && word == pandasNA {
		*n = NA{Pandas: true}
		return nil
	}
	var words []string
	if err := json.Unmarshal(data, &words); err != nil || words == nil {
		return fmt.Errorf("%.40s: want %s or a list of words: %w", data, pandasNA, ErrInvalid)
	}
	if i := slices.IndexFunc(words, func(w string) bool { return len(w) > 4*MaxNAWord }); i >= 0 || len(words) > MaxNAWords {
		return fmt.Errorf("%d words: want at most %d, each of at most %d characters: %w", len(words), MaxNAWords, MaxNAWord, ErrInvalid)
	}
	*n = NA{Words: words}
	return nil
}

// HasHeader reports whether the first line has the names of the columns.
func (o *CSVOptions) HasHeader() bool { return o == nil || o.Header == nil || *o.Header }

// ColumnSpec says what a column means.
type ColumnSpec struct {
	Type ColumnType `json:"type" jsonschema:"required" jsonschema_description:"number: also with a currency sign or %; category: each different text; boolean: yes or no, as 1 or 0; date: becomes its parts; drop: leave it out"`
	Hash int        `json:"hash,omitempty" jsonschema:"minimum=2,maximum=1048576" jsonschema_description:"category: the number of buckets; each text belongs to the bucket that its hash says, so that the model keeps no list of texts and takes any text; a missing value that is filled counts as an empty text"`
	// Parts, As and Format are those of a date.
	Parts  []DatePart `json:"parts,omitempty" jsonschema:"uniqueItems=true,minItems=1,maxItems=9" jsonschema_description:"date: the parts that become columns"`
	As     PartKind   `json:"as,omitempty" jsonschema:"default=number" jsonschema_description:"date: whether the parts are numbers or categories"`
	Format string     `json:"format,omitempty" jsonschema:"minLength=1,maxLength=64" jsonschema_description:"date: how the cells are written, as %d.%m.%Y %H:%M (the codes of strptime); default: what all cells agree with"`
}

// The bounds of ColumnSpec.Hash.
const (
	MinHash = 2
	MaxHash = 1 << 20
)

// ColumnType is the type of a column.
type ColumnType string

// The types of columns.
const (
	NumberColumn   ColumnType = "number"
	CategoryColumn ColumnType = "category"
	BooleanColumn  ColumnType = "boolean"
	DateColumn     ColumnType = "date"
	DropColumn     ColumnType = "drop"
)

// Allowed lists the types.
func (ColumnType) Allowed() []string {
	return list(NumberColumn, CategoryColumn, BooleanColumn, DateColumn, DropColumn)
}

// DatePart is a part of a date, as pandas has it in Series.dt.
type DatePart string

// The parts of a date. The clock is the one that is written, in its own time zone.
const (
	Year      DatePart = "year"
	Month     DatePart = "month"   // 1 to 12
	Day       DatePart = "day"     // 1 to 31
	Weekday   DatePart = "weekday" // 0 is Monday
	DayOfYear DatePart = "day_of_year"
	Hour      DatePart = "hour"
	Minute    DatePart = "minute"
	Second    DatePart = "second"
	Timestamp DatePart = "timestamp" // seconds since 1970-01-01 00:00 UTC
)

// Allowed lists the parts.
func (DatePart) Allowed() []string {
	return list(Year, Month, Day, Weekday, DayOfYear, Hour, Minute, Second, Timestamp)
}

// PartKind says what the parts of a date become.
type PartKind string

// The kinds of parts.
const (
	PartNumber   PartKind = "number"
	PartCategory PartKind = "category"
)

// Allowed lists the kinds.
func (PartKind) Allowed() []string { return list(PartNumber, PartCategory) }
