package objective

import "tributary/shared/numeric"

// Sum accumulates the loss of rows. The zero value has no rows.
type Sum struct {
	rows     numeric.RowSum  // for an objective that has terms
	elements numeric.LaneSum // for an objective that is a reduction over elements
}
