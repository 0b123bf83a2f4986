package executor

// Limit sets how many floats of a batch e keeps at a time.
func (e *Executor) Limit(floats int) { e.budget = floats }
