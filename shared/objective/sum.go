package objective

import "tributary/shared/numeric"

// Sum is the loss of some rows while more are added. The zero value has none.
type Sum struct {
	rows     numeric.RowSum  // of an objective that has terms
	elements numeric.LaneSum // of one that is a reduction over elements
}
