package tabular

// Rows is the result of a statement, row by row.
type Rows interface {
	Names() []string // of the columns
	// Next returns the cells of the next row as texts, "" for a missing value. The following
	// call overwrites them. After the last row it returns io.EOF.
	Next() ([]string, error)
	// Kinds returns what the database says about the columns. It is complete after the last
	// row.
	Kinds() []Kind
	// Close ends the query and the connection.
	Close()
}
