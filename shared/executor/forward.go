package executor

import "tributary/shared/model"

// forwardFloats limits the outputs that Forward passes to its callback at a time: 16 MiB.
const forwardFloats = 4 << 20

// Forward computes the network's outputs for samples 0 to `samples` of the fields x, one
// for each input of the network. With a classifying objective the outputs are logits.
// Forward passes them to each, slice after slice in order: z [hi−lo, Output] holds the
// outputs of samples lo to hi, and is valid until each returns. Every slice except the last
// has a multiple of 16 positions. The outputs of a sample do not depend on the other
// samples. Forward stops at the first error of each and returns it. It fails with a
// [*team.Panic] when a thread panicked.
func (e *Executor) Forward(m Model, x []Field, samples int, each func(lo, hi int, z []float32) error) error {
	e.begin(m)
	defer e.release()
	size, per := m.Network.Output().Size(), forwardSamples(m.Network)
	for lo := 0; lo < samples; lo += per {
		hi := min(lo+per, samples)
		e.bounds = [2]int{0, hi - lo}
		e.batch, e.z = Batch{X: x, First: lo, Bounds: e.bounds[:]}, grow(e.z, (hi-lo)*size)
		e.chunk = chunkSamples(m.Network, hi-lo, e.team.Threads(), e.budget)
		e.next = counters(e.next, 1)
		if err := e.team.Run((*forwardWork)(e)); err != nil {
			return err
		}
		if err := each(lo, hi, e.z); err != nil {
			return err
		}
	}
	return nil
}

// forwardSamples returns the largest number of samples in a slice of Forward.
func forwardSamples(n *model.Network) int {
	g := grain(n)
	return max(g, forwardFloats/n.Output().Size()/g*g)
}

// forwardWork is the forward pass. Threads take chunks of samples.
type forwardWork Executor

// Do is the work of one thread.
func (w *forwardWork) Do(thread int) {
	e := (*Executor)(w)
	s := &e.space[thread]
	s.begin(true)
	size, samples := e.m.Network.Output().Size(), e.batch.samples()
	for {
		lo := (int(e.next[0].Add(1)) - 1) * e.chunk
		if lo >= samples {
			return
		}
		hi := min(lo+e.chunk, samples)
		s.fields(lo, hi, false)
		s.forward(lo, hi, 0, len(e.nodes()))
		s.y[e.m.Network.Values()-1].TransposeTo(e.z[lo*size : hi*size])
	}
}
