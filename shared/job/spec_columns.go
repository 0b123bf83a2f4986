package job

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Columns names one column or several. JSON: a text, or a list of texts. The zero value names
// none.
type Columns []string

// The bounds of columns in a spec.
const (
	MaxLabels     = 1024 // columns
	maxColumnName = 1024 // characters of a name
)

// Bounds returns the most columns, and the most characters of a name.
func (Columns) Bounds() (columns, characters int) { return MaxLabels, maxColumnName }

// String joins the names for a message.
func (c Columns) String() string { return strings.Join(c, ", ") }

// MarshalJSON writes one name as a text, and several as a list.
func (c Columns) MarshalJSON() ([]byte, error) {
	if len(c) == 1 {
		return json.Marshal(c[0])
	}
	return json.Marshal([]string(c))
}

// UnmarshalJSON reads a text or a list.
func (c *Columns) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*c = Columns{one}
		return nil
	}
	var several []string
	if err := json.Unmarshal(data, &several); err != nil || len(several) == 0 || len(several) > MaxLabels {
		return fmt.Errorf("%.40s: want a column, or a list of 1 to %d columns: %w", data, MaxLabels, ErrInvalid)
	}
	*c = several
	return nil
}
