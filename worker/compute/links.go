package compute

import (
	"slices"
	"sync/atomic"

	"tributary/shared/gradient"
	"tributary/shared/ledger"
)

// links computes the chain past a step from the step's root. All threads of the task take
// part, each with one chunk at a time.
type links struct {
	layout ledger.Layout
	step   int64
	root   ledger.Partial
	before ledger.Chain
	after  ledger.Chain
	next   atomic.Int64
	failed atomic.Pointer[error]
}

// past returns the chain past the step.
func (k *links) past(st *stepper, step int64, root ledger.Partial, before ledger.Chain) (ledger.Chain, error) {
	k.layout, k.step, k.root, k.before, k.after = st.p.layout, step, root, before, slices.Clone(before)
	k.next.Store(0)
	k.failed.Store(nil)
	if len(before) > 1 {
		if err := st.s.Team().Run(k); err != nil {
			return nil, gradient.Contained(err)
		}
	} else {
		k.Do(0)
	}
	if err := k.failed.Load(); err != nil {
		return nil, *err
	}
	return k.after, nil
}

// Do is the work of one thread: it takes one chunk after another.
func (k *links) Do(int) {
	for {
		c := int(k.next.Add(1)) - 1
		if c >= len(k.after) {
			return
		}
		link, err := k.layout.Next(k.step, c, k.root.Gradient, k.root.Sums, k.before[c])
		if err != nil {
			k.failed.Store(&err)
			return
		}
		k.after[c] = link
	}
}
