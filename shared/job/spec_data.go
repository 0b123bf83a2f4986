package job

import "encoding/json"

// Data says where the rows come from and how they are prepared for training.
type Data struct {
	Source     string `json:"source,omitempty" jsonschema:"minLength=1,maxLength=4096" jsonschema_description:"path, file:PATH, nats:<bucket>/<object>, https://HOST/PATH, s3://BUCKET/KEY, dataset:<name> or dataset:<name>@<version> (a named data set; without a version the newest at submission), or a database (postgres://USER@HOST/DATABASE or sqlite:PATH) with query; a path or a key may be a folder or have wildcards (* ? [a-z]): its files, sorted by name; or give inline"`
	Query      string `json:"query,omitempty" jsonschema:"minLength=1,maxLength=65536,pattern=\\S" jsonschema_description:"sql: the statement (SELECT …) that gives the rows of source; without ORDER BY the database chooses their order, and with it the result of the job"`
	SHA256     Digest `json:"sha256,omitempty" jsonschema:"pattern=^[0-9a-f]{64}$" jsonschema_description:"SHA-256 of the file that source names, as it is stored, in lower-case hex: another content is refused"`
	Labels     string `json:"labels,omitempty" jsonschema:"minLength=1,maxLength=4096" jsonschema_description:"idx, numpy: the labels file, as source; default: an .npz source"`
	Test       string `json:"test,omitempty" jsonschema:"minLength=1,maxLength=4096" jsonschema_description:"a given test source, instead of split.test"`
	TestQuery  string `json:"test_query,omitempty" jsonschema:"minLength=1,maxLength=65536,pattern=\\S" jsonschema_description:"sql: the statement that gives the rows of test; default of test then: source"`
	TestLabels string `json:"test_labels,omitempty" jsonschema:"minLength=1,maxLength=4096" jsonschema_description:"idx, numpy: the labels of test; default: an .npz test"`
	// Validation is "" in specs that do not set it, so that these keep their digests.
	Validation       string         `json:"validation,omitempty" jsonschema:"minLength=1,maxLength=4096" jsonschema_description:"a given validation source, instead of split.validation: the columns of source, in any order; what is fitted is fitted on source alone"`
	ValidationQuery  string         `json:"validation_query,omitempty" jsonschema:"minLength=1,maxLength=65536,pattern=\\S" jsonschema_description:"sql: the statement that gives the rows of validation; default of validation then: source"`
	ValidationLabels string         `json:"validation_labels,omitempty" jsonschema:"minLength=1,maxLength=4096" jsonschema_description:"idx, numpy: the labels of validation; default: an .npz validation"`
	Inline           *Inline        `json:"inline,omitempty" jsonschema_description:"rows in the spec itself, instead of source"`
	Format           Format         `json:"format,omitempty" jsonschema_description:"format of source and test; default: what the source's name says (.csv, .tsv, .jsonl, .ndjson, .parquet, .idx or -idx3-ubyte, .arrow, .arrows, .feather, .libsvm, .svm or .npy, each also with .gz, .zst, .bz2 or .zip; .npz; a database is sql)"`
	Arrays           *Arrays        `json:"arrays,omitempty" jsonschema_description:"numpy: the names of the arrays in .npz files"`
	LIBSVM           *LIBSVMOptions `json:"libsvm,omitempty" jsonschema_description:"libsvm: how the file is written; default: what the file shows"`
	Label            Columns        `json:"label,omitempty" jsonschema_description:"the name of the label's column; or a list of columns of numbers, one for each output"`
	Weight           string         `json:"weight,omitempty" jsonschema:"minLength=1,maxLength=1024" jsonschema_description:"the name of a column of numbers from 0 to 1e9, which is no feature: how much each row counts in the loss, which is sum(w*loss)/sum(w) over a batch or a split; metrics do not have it"`
	Drop             []string       `json:"drop,omitempty" jsonschema:"uniqueItems=true,maxItems=4096,minLength=1,maxLength=1024" jsonschema_description:"columns to leave out, by name"`
	// CSV and Columns are nil in specs that do not set them, so that these keep their digests.
	CSV       *CSVOptions           `json:"csv,omitempty" jsonschema_description:"csv: how the file is written; default: what the file shows with certainty"`
	Columns   map[string]ColumnSpec `json:"columns,omitempty" jsonschema_description:"what columns mean, by name; default: numbers if all cells are numbers, else categories"`
	Clean     Clean                 `json:"clean" jsonschema_description:"what happens to imperfect rows"`
	Transform Transform             `json:"transform" jsonschema_description:"how columns become features; fitted on the training split alone"`
	Split     SplitSpec             `json:"split" jsonschema_description:"the fractions of the rows for each split; default: all for training"`
	Shuffle   bool                  `json:"shuffle" jsonschema:"default=true" jsonschema_description:"false: rows in file order, step after step"`
}

// Inline holds a small dataset: x [rows][features], y [rows] of numbers, strings or
// booleans, or [rows][outputs] of numbers. x [rows] means one feature.
type Inline struct {
	X json.RawMessage `json:"x" jsonschema:"required" jsonschema_description:"[rows][features] of numbers, or [rows] for one feature; null is a missing value"`
	Y json.RawMessage `json:"y" jsonschema:"required" jsonschema_description:"[rows] of numbers, or of classes (numbers, strings or booleans), or [rows][outputs] of numbers"`
}

// Arrays names the arrays of .npz files.
type Arrays struct {
	X     string `json:"x,omitempty" jsonschema:"minLength=1,maxLength=1024" jsonschema_description:"the features in source; default: x_train, or x"`
	Y     string `json:"y,omitempty" jsonschema:"minLength=1,maxLength=1024" jsonschema_description:"the labels in labels; default: y_train, or y"`
	TestX string `json:"test_x,omitempty" jsonschema:"minLength=1,maxLength=1024" jsonschema_description:"the features in test; default: x_test, or x"`
	TestY string `json:"test_y,omitempty" jsonschema:"minLength=1,maxLength=1024" jsonschema_description:"the labels in test_labels; default: y_test, or y"`

	ValidationX string `json:"validation_x,omitempty" jsonschema:"minLength=1,maxLength=1024" jsonschema_description:"the features in validation; default: x_val, or x"`
	ValidationY string `json:"validation_y,omitempty" jsonschema:"minLength=1,maxLength=1024" jsonschema_description:"the labels in validation_labels; default: y_val, or y"`
}

// LIBSVMOptions says how a LIBSVM file is written.
type LIBSVMOptions struct {
	Base int `json:"base" jsonschema:"required,minimum=0,maximum=1" jsonschema_description:"the index of the first feature; without it, indices count from 0 on if a row has the index 0, and else from 1 on"`
}

// Format is the file format of a source. A packed source (gzip, zstd, bzip2, zip) is
// unpacked first.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	IDX     Format = "idx"
	JSONL   Format = "jsonl"   // JSON lines: an object in each line
	Parquet Format = "parquet" // flat columns
	SQL     Format = "sql"     // the result of a query
	LIBSVM  Format = "libsvm"  // label index:value …
	Arrow   Format = "arrow"   // Arrow IPC, a file or a stream: flat columns
	NumPy   Format = "numpy"   // arrays of numbers: .npy, or .npz with several
)

// Clean says how incomplete and duplicate rows are handled.
type Clean struct {
	Missing    Missing    `json:"missing" jsonschema_description:"empty cells of feature columns: drop the row, or fill in the column's mean or median (text: the most frequent), or a constant; rows without a label are always dropped"`
	Duplicates Duplicates `json:"duplicates" jsonschema:"default=keep" jsonschema_description:"rows equal in every column"`
}

// Missing says how empty cells of feature columns are handled. In text columns, mean and
// median fill in the most frequent category. A row without a label is always dropped.
// JSON: "drop", "mean", "median" or {"constant": v}.
type Missing struct {
	Method   string // drop | mean | median | constant; default drop
	Constant float64
}

// Duplicates says how rows that are equal in every column are handled.
type Duplicates string

// The ways to handle duplicates.
const (
	KeepDuplicates Duplicates = "keep"
	DropDuplicates Duplicates = "drop"
)

// Transform says how columns become features.
type Transform struct {
	Scale       Scale    `json:"scale" jsonschema_description:"numeric columns: none, standard ((x-mean)/std), minmax (to 0…1) or a divisor"`
	Categorical Encoding `json:"categorical,omitzero" jsonschema_description:"text columns: onehot, a feature per category; or {embed: n}, a vector of n numbers per category, which training learns"`
	Label       Scale    `json:"label,omitzero" jsonschema_description:"a regression's label: none or standard, each column by itself; predictions and metrics are in the label's own units"`
}

// Encoding says how a text column becomes features. JSON: "onehot" (one feature per category
// of the training split) or {"embed": n} (a vector of n trained numbers per category; a
// category that the training split does not have becomes zeros).
type Encoding struct {
	Method string // onehot | embed
	Embed  int    // units of the vectors
}

// OneHot is the default encoding.
const OneHot = "onehot"

// MaxEmbed is the largest number of units of the vectors of categories.
const MaxEmbed = 1024

// Scale transforms a numeric column. JSON: "none", "standard" ((x-mean)/std, population
// std), "minmax" (to 0…1) or {"divide": v}.
type Scale struct {
	Method string // none | standard | minmax | divide
	Divide float64
}
