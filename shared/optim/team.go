package optim

import (
	"sync"
	"sync/atomic"

	"tributary/shared/numeric/team"
)

// blockLen is how many parameters a thread folds at a time. It is a multiple of what any
// kernel processes at once.
const blockLen = 1 << 14

// ApplyBy is Apply in the threads of t, with the same bits. If t is nil, only the caller's
// thread works.
func (f *Fold) ApplyBy(t *team.Team, params []float32, state [][]float32, step int64, grad []float32, divisor float32) {
	if t.Threads() == 1 || len(grad) <= blockLen {
		f.Apply(params, state, step, grad, divisor)
		return
	}
	w := works.Get().(*work)
	w.fold, w.params, w.state, w.grad = f, params, state, grad
	w.step = f.step(step, grad, divisor)
	w.next.Store(0)
	if err := t.Run(w); err != nil {
		panic(err) // as in Apply: the parameters are between two steps
	}
	w.fold, w.params, w.state, w.grad = nil, nil, nil, nil
	works.Put(w)
}

// work is one fold that several threads share.
type work struct {
	fold   *Fold
	step   stepOf
	params []float32
	state  [][]float32
	grad   []float32
	next   atomic.Int64
}

var works = sync.Pool{New: func() any { return new(work) }}

// Do folds block after block until none is left.
func (w *work) Do(int) {
	for {
		lo := int(w.next.Add(blockLen)) - blockLen
		if lo >= len(w.grad) {
			return
		}
		hi := min(lo+blockLen, len(w.grad))
		w.fold.update(&w.step, w.params, w.state, w.grad, lo, hi)
	}
}
