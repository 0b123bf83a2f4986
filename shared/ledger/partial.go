package ledger

import (
	"context"

	"tributary/shared/tree"
)

// Sums is what a partial holds beside its gradient, summed along the same tree.
type Sums struct {
	Examples int64   // rows
	Loss     float64 // sum of the rows' losses
}

// Add returns left + right.
func (s Sums) Add(right Sums) Sums {
	return Sums{Examples: s.Examples + right.Examples, Loss: s.Loss + right.Loss}
}

// Partial is the result of a gradient task: gradient [P] and its sums. The
// gradient is a sum over rows, never a mean.
type Partial struct {
	Gradient []float32
	Sums     Sums
}

// Arrival tells the storer of a partial how one of its chunks stands.
type Arrival struct {
	// Committed: the chunk's root is already in the log (or trimmed off it);
	// nothing was stored and nothing is left to do.
	Committed bool
	// Cover lists, in leaf order, arrived nodes that cover the tree, when
	// there are such; nil while partials are missing. Whoever is given a cover
	// must reduce the chunk and Append it: others may be doing so too. The
	// storer's own node is always in it, and the ledger has not kept its partial,
	// as the storer has it.
	Cover []tree.Node
	// Values, when not nil, are the partials of the nodes of Cover, in its order,
	// cut to the chunk; that of the storer's own node is left empty. They are the
	// receiver's to change. When nil, Partial reads them.
	Values []Partial
}

// PartialRead says which chunks of a partial to read, and where to.
type PartialRead struct {
	Step   int64
	Node   tree.Node
	Chunks []int     // at least one, strictly increasing
	Dst    []float32 // [P]; each chunk goes to its place, the rest stays as it is
}

// PartialReader reads the partials of the running step.
type PartialReader interface {
	// Arrived lists the nodes whose partials have arrived in every chunk that is not
	// yet committed. It may be called for the running step only.
	Arrived(ctx context.Context, l Layout, step int64) ([]tree.Node, error)
	// Partial reads chunks of a node's partial. It fails with job.ErrNotFound once one
	// of them is committed.
	Partial(ctx context.Context, l Layout, r PartialRead) (Sums, error)
}

// Partials keeps the partials of the running step until their root is in the log.
type Partials interface {
	PartialReader
	// Put stores the partial of node at step and records its arrival, chunk by
	// chunk, and returns one Arrival per chunk. The ledger neither keeps nor records a
	// chunk that this partial completes: if the storer dies before it appends the
	// chunk, its task runs again. Put is idempotent per (step, node); another partial
	// for a node that is stored fails with job.ErrCorrupt, one that is not rounded to
	// the layout's wire with job.ErrInvalid.
	Put(ctx context.Context, l Layout, step int64, node tree.Node, p Partial) ([]Arrival, error)
}
