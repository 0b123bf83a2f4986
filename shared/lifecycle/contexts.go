package lifecycle

import "context"

// Contexts holds the contexts of the two stages of a stop, for commands that take one
// value.
type Contexts struct{ Soft, Hard context.Context } //nolint:containedctx // the program's own, handed to its command
