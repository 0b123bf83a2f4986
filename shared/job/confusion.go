package job

// MaxConfusion is the most classes of a confusion matrix.
const MaxConfusion = 100

// Confusion says which classes a model takes for which, on the rows of a split. It is in
// the model's card.
type Confusion struct {
	// Matrix [classes][classes] counts the rows by their class and by the class that the
	// model predicts, in the order of the classes. A row whose outputs are not numbers is
	// nowhere.
	Matrix  [][]int64      `json:"matrix"`
	Classes []ClassFigures `json:"classes"` // by class
}

// ClassFigures are the figures of one class.
type ClassFigures struct {
	Class     string   `json:"class,omitempty"`
	Rows      int64    `json:"rows"`      // of the class
	Precision float64  `json:"precision"` // 0 if the class is never predicted
	Recall    *float64 `json:"recall"`    // nil if there are no rows
	F1        *float64 `json:"f1"`        // nil if there are no rows
}

// Names returns the names of the classes.
func (c *Confusion) Names() []string {
	out := make([]string, len(c.Classes))
	for i := range c.Classes {
		out[i] = c.Classes[i].Class
	}
	return out
}
