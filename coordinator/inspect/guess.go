package inspect

import (
	"fmt"
	"slices"
	"strings"
)

// labels are names that people give to the column to learn, the surest first.
var labels = []string{
	"label", "labels", "target", "class", "y", "outcome", "response", "species", "diagnosis", "survived", "status", "churn", "churned",
	"default", "fraud", "is_fraud", "isfraud", "sentiment", "intent", "quality", "rating", "saleprice", "sale_price", "price", "medv", "median_house_value",
	"income", "salary", "category", "digit", "result", "score",
}

// guess returns the likeliest label and the reason.
func (r *Report) guess() (name, why string) {
	possible := func(c *Column) bool {
		loss, _ := c.objective()
		return loss != "" && c.Kind != Identifier && c.Kind != Date
	}
	best := -1
	for i := range r.Columns {
		c := &r.Columns[i]
		if !possible(c) {
			continue
		}
		at := slices.Index(labels, strings.ToLower(strings.NewReplacer(" ", "_", "-", "_", ".", "_").Replace(strings.TrimSpace(c.Name))))
		if at >= 0 && (best < 0 || at < best) {
			best, name = at, c.Name
		}
	}
	if best >= 0 {
		return name, "guessed, because of its name"
	}
	for i := len(r.Columns) - 1; i >= 0; i-- {
		if c := &r.Columns[i]; possible(c) {
			return c.Name, fmt.Sprintf("guessed: it is the last of %d columns that can be learned", r.Width)
		}
	}
	return "", ""
}
