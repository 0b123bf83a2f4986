package dataset

import (
	"container/list"
	"sort"
	"sync"

	"tributary/shared/numeric"
)

// RowRef names a row of a split: row Row of block Block.
type RowRef struct{ Block, Row int32 }

// keptRows limits the row permutations that an Order keeps, in rows (4 bytes each).
const keptRows = 1 << 20

// Order is the order in which one epoch visits the rows of a split. The blocks are in a
// seeded permutation, and the rows of each block are in their own permutation, so
// neighbouring rows come from few blocks. It is safe for concurrent use.
//
// Invariant: it is a bijection from positions 0 … Len()-1 to the rows of the split, and a
// pure function of (rows of the blocks, seed, epoch, shuffle).
type Order struct {
	seed    uint64
	epoch   uint64
	shuffle bool
	rows    []int   // rows of each block
	blocks  []int32 // blocks in the order of the epoch
	starts  []int   // starts[i] is the first position of blocks[i]; the last is Len()

	mu     sync.Mutex
	perms  map[int32]*list.Element // of *perm
	recent *list.List
	kept   int // rows of all perms kept
}

type perm struct {
	block int32
	rows  []int32
}

// NewOrder returns the order of an epoch over the blocks of a split. Without shuffle,
// blocks and rows keep their order.
func NewOrder(blocks []BlockRef, seed uint64, epoch int64, shuffle bool) *Order {
	o := &Order{
		seed: seed, epoch: uint64(epoch), shuffle: shuffle,
		rows: make([]int, len(blocks)), blocks: make([]int32, len(blocks)), starts: make([]int, len(blocks)+1),
		perms: map[int32]*list.Element{}, recent: list.New(),
	}
	for i, b := range blocks {
		o.rows[i], o.blocks[i] = b.Rows, int32(i)
	}
	if shuffle {
		numeric.NewRand(seed, numeric.ForBlocks, o.epoch, 0).Perm(o.blocks)
	}
	for i, b := range o.blocks {
		o.starts[i+1] = o.starts[i] + o.rows[b]
	}
	return o
}

// Len returns the number of rows in the epoch.
func (o *Order) Len() int { return o.starts[len(o.blocks)] }

// Rows appends to dst the rows at positions lo … hi-1 of the epoch. It clips the range to
// the epoch.
func (o *Order) Rows(dst []RowRef, lo, hi int) []RowRef {
	lo, hi = max(lo, 0), min(hi, o.Len())
	if lo >= hi {
		return dst
	}
	// The last block that begins at or before lo.
	i := sort.Search(len(o.blocks), func(i int) bool { return o.starts[i] > lo }) - 1
	for ; lo < hi; i++ {
		b := o.blocks[i]
		perm := o.perm(b)
		for end := min(hi, o.starts[i+1]); lo < end; lo++ {
			r := int32(lo - o.starts[i])
			if perm != nil {
				r = perm[r]
			}
			dst = append(dst, RowRef{b, r})
		}
	}
	return dst
}

// perm returns the order of the rows of a block. nil means that the rows keep their order.
func (o *Order) perm(block int32) []int32 {
	if !o.shuffle {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if e, ok := o.perms[block]; ok {
		o.recent.MoveToFront(e)
		return e.Value.(*perm).rows
	}
	rows := make([]int32, o.rows[block])
	numeric.NewRand(o.seed, numeric.ForRows, o.epoch, uint32(block)).Perm(rows)
	for o.kept+len(rows) > keptRows && o.recent.Len() > 0 {
		e := o.recent.Remove(o.recent.Back()).(*perm)
		delete(o.perms, e.block)
		o.kept -= len(e.rows)
	}
	o.perms[block] = o.recent.PushFront(&perm{block, rows})
	o.kept += len(rows)
	return rows
}
