package ledger

import (
	"context"

	"tributary/shared/tree"
)

// Sums is what a partial holds beside its gradient. Sums are added along the same tree.
type Sums struct {
	Examples int64   // terms, rows of a table or tokens; or the sum of their weights, in units of the objective
	Loss     float64 // sum of the rows' losses
}

// Add returns left + right.
func (s Sums) Add(right Sums) Sums {
	return Sums{Examples: s.Examples + right.Examples, Loss: s.Loss + right.Loss}
}

// Partial is the result of a gradient task: a gradient [P] and its sums. The gradient is a
// sum over rows, never a mean.
type Partial struct {
	Gradient []float32
	Sums     Sums
}

// Arrival says, after Put, what the caller must do for one chunk. The zero Arrival: the
// partial was stored, and others are still missing.
type Arrival struct {
	// Committed says that the chunk's root is already in the log, or was trimmed. Put
	// stored nothing, and the caller has nothing to do.
	Committed bool
	// Cover lists arrived nodes that together cover the tree, in leaf order. It is nil
	// while partials are missing. A caller that gets a cover must reduce the chunk and
	// Append it; other workers may do the same. The caller's own node is always in Cover,
	// and the ledger has not stored its partial, because the caller has it.
	Cover []tree.Node
	// Values, when not nil, are the partials of the nodes in Cover, in the same order, cut
	// to the chunk. The entry of the caller's own node is empty. The caller may change
	// them. When Values is nil, the caller reads them with Partial.
	Values []Partial
}

// PartialRead says which chunks of a partial to read, and into which vector.
type PartialRead struct {
	Step   int64
	Node   tree.Node
	Chunks []int     // at least one, strictly increasing
	Dst    []float32 // [P]; each chunk is read to its place, the rest does not change
}

// PartialReader reads the partials of the running step.
type PartialReader interface {
	// Arrived lists the nodes whose partials have arrived in every chunk that is not yet
	// committed. Callers may call it only for the running step.
	Arrived(ctx context.Context, l Layout, step int64) ([]tree.Node, error)
	// Partial reads chunks of a node's partial. It fails with job.ErrNotFound once one of
	// the chunks is committed.
	Partial(ctx context.Context, l Layout, r PartialRead) (Sums, error)
}

// Partials stores the partials of the running step until their root is in the log.
type Partials interface {
	PartialReader
	// Put stores the partial of a node at step and records its arrival, chunk by chunk. It
	// returns one Arrival for each chunk. If this partial completes the tree in a chunk,
	// Put neither stores nor records it there: if the caller dies before it appends the
	// chunk, its task runs again.
	//
	// Put is idempotent per (step, node). It fails with job.ErrCorrupt when the node has
	// another partial already, and with job.ErrInvalid when the partial is not rounded to
	// the layout's wire.
	Put(ctx context.Context, l Layout, step int64, node tree.Node, p Partial) ([]Arrival, error)
}
