package lifecycle

import "context"

// Contexts are the two stages of a stop, for commands that are handed one value.
type Contexts struct{ Soft, Hard context.Context } //nolint:containedctx // the program's own, handed to its command
