package dataset

// RowRef names a row of a split: row Row of block Block.
type RowRef struct{ Block, Row int32 }
