package course

// A worker that has the roots of many steps by itself does not give the ledger each of
// them. It goes on from step to step, and commits them with the snapshot after them
// while it computes the next ones. The ledger is as if the roots had been logged and
// trimmed. Steps that are not committed when the worker dies are computed again.

// batch is how far the task is ahead of the ledger by steps that only a batch commit
// takes there.
//
// Invariant: the ledger has all steps before commit.step, or before from when no commit
// is in flight.
type batch struct {
	open   bool     // the task is ahead of the ledger
	from   int64    // the first of the steps that are folded and in no commit yet
	steps  int64    // how many these are
	commit inFlight // the last batch commit
}

// worth reports whether so many steps are better committed by their snapshot, which has
// the optimizer's vectors too, than by their roots.
func (c *Course) worth(steps int64) bool {
	return c.limits.MinBatch > 0 && steps >= c.limits.MinBatch
}

// batches reports whether the step in hand belongs to a batch. It does as long as a batch
// is open, also when few steps are left: what is logged follows what the ledger has.
func (c *Course) batches() bool {
	return c.root && (c.batch.open || c.worth(min(c.every, c.end-c.step)))
}

// speculateBatch folds the root of the step in hand as a part of the batch.
func (c *Course) speculateBatch() Action {
	speculate := Action{Do: Speculate, Step: c.step, With: Batch}
	if c.batch.open {
		speculate.With |= Own
	}
	return speculate
}

// grow adds the step in hand, which is folded, to the batch. The batch is committed when
// it is long enough, unless so few steps are left that they go with it.
func (c *Course) grow() Action {
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

// commitBatch starts the commit of the batch, when the one before has ended.
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
	return c.level()
}

func (c *Course) batchCommitted() Action {
	c.batch.commit = inFlight{}
	if c.goal == stepping {
		return c.commitBatch()
	}
	return c.level()
}

// abandonBatch gives up all steps that the ledger lacks, and returns the first of them.
func (c *Course) abandonBatch() int64 {
	b := c.batch
	c.batch = batch{}
	if b.commit.runs {
		return b.commit.step
	}
	return b.from
}
