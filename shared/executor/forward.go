package executor

// forwardFloats limits the outputs that Forward passes to its callback at a time: 16 MiB.
const forwardFloats = 4 << 20

// Forward computes the network's outputs for the rows x, each [Features]. With a
// classifying objective the outputs are logits. Forward passes them to each, slice after
// slice in order: z [hi−lo, Outputs] holds the outputs of rows lo to hi, and is valid until
// each returns. Every slice except the last has a multiple of 16 rows. The outputs of a row
// do not depend on the other rows. Forward stops at the first error of each and returns it.
// It fails with a [*team.Panic] when a thread panicked.
func (e *Executor) Forward(m Model, x [][]float32, each func(lo, hi int, z []float32) error) error {
	e.m = m
	defer e.release()
	o, per := m.Network.Outputs(), e.forwardSamples()
	for lo := 0; lo < len(x); lo += per {
		hi := min(lo+per, len(x))
		e.batch.X, e.z = x[lo:hi], grow(e.z, (hi-lo)*o)
		e.chunk = chunkSamples(m.Network.Params()+m.Network.Frozen(), m.Network.Width(), hi-lo, e.team.Threads(), e.budget)
		e.next[0].Store(0)
		if err := e.team.Run((*forwardWork)(e)); err != nil {
			return err
		}
		if err := each(lo, hi, e.z); err != nil {
			return err
		}
	}
	return nil
}

// forwardSamples returns the largest number of rows in a slice of Forward.
func (e *Executor) forwardSamples() int {
	return max(sliceGrain, forwardFloats/e.m.Network.Outputs()/sliceGrain*sliceGrain)
}

// forwardWork is the forward pass. Threads take chunks of rows.
type forwardWork Executor

// Do is the work of one thread.
func (w *forwardWork) Do(thread int) {
	e := (*Executor)(w)
	s := &e.space[thread]
	s.begin(true)
	o := e.m.Network.Outputs()
	for {
		lo := (int(e.next[0].Add(1)) - 1) * e.chunk
		if lo >= len(e.batch.X) {
			return
		}
		hi := min(lo+e.chunk, len(e.batch.X))
		s.reset(&s.x, e.m.Network.Features(), hi-lo)
		s.x.SetColumns(&s.rows, e.batch.X[lo:hi])
		s.forward(hi - lo)
		s.y[len(s.e.nodes())-1].TransposeTo(e.z[lo*o : hi*o])
	}
}
