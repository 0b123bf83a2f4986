package course

// A worker that has the roots of many steps on its own does not append each root to the
// ledger. It computes step after step. It commits the steps with the snapshot after them,
// while it computes the next ones. Afterwards the ledger is the same as if the roots had
// been appended and then trimmed. If the worker dies, a worker computes the uncommitted
// steps again.

// batch holds the steps that the task has folded and that only a batch commit puts into
// the ledger.
//
// Invariant: the ledger has all steps before commit.step. When no commit is in flight, it
// has all steps before from.
type batch struct {
	open   bool     // the task has folded steps that the ledger may lack
	from   int64    // the first step that is folded and in no commit yet
	steps  int64    // the number of these steps
	commit inFlight // the batch commit in flight
}

// worth reports whether a batch commit is better than appending so many roots one by one.
// A batch commit stores a snapshot, which has the optimizer's vectors too.
func (c *Course) worth(steps int64) bool {
	return c.limits.MinBatch > 0 && steps >= c.limits.MinBatch
}

// batches reports whether the current step belongs to a batch. While a batch is open it
// does, even when few steps are left: the log must follow what the ledger has.
func (c *Course) batches() bool {
	return c.root && (c.batch.open || c.worth(min(c.every, c.end-c.step)))
}

// speculateBatch folds the current root as a step of the batch.
func (c *Course) speculateBatch() Action {
	speculate := Action{Do: Speculate, Step: c.step, With: Batch}
	if c.batch.open {
		speculate.With |= Own
	}
	return speculate
}

// extendBatch adds the current step, which is folded, to the batch. It commits the batch
// when the batch is long enough. If too few steps remain for another batch, it keeps the
// batch open and adds them too, up to MaxBatch.
func (c *Course) extendBatch() Action {
	b := &c.batch
	b.open = true
	if b.steps == 0 {
		b.from = c.step
	}
	b.steps++
	left := c.end - c.step - 1
	if b.steps < c.limits.MaxBatch && (b.steps < c.every || !c.worth(left)) {
		return c.advance()
	}
	return c.commitBatch()
}

// commitBatch starts the commit of the batch. If the batch commit before is still in
// flight, it waits for that first.
func (c *Course) commitBatch() Action {
	if c.batch.commit.runs {
		return Action{Do: WaitBatch}
	}
	return Action{Do: StartBatch, Step: c.batch.from, Steps: c.batch.steps}
}

func (c *Course) batchStarted(a Action) Action {
	c.batch.commit, c.batch.steps, c.unannounced = inFlight{true, a.Step}, 0, 0
	if c.goal == stepping {
		return c.advance()
	}
	return c.drain()
}

func (c *Course) batchCommitted() Action {
	c.batch.commit = inFlight{}
	if c.goal == stepping {
		return c.commitBatch()
	}
	return c.drain()
}

// abandonBatch gives up all steps that the ledger lacks, and returns the first of these
// steps.
func (c *Course) abandonBatch() int64 {
	b := c.batch
	c.batch = batch{}
	if b.commit.runs {
		return b.commit.step
	}
	return b.from
}
