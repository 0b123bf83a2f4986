package blas

import (
	"runtime"
	"sync"
	"sync/atomic"

	"tributary/shared/numeric/internal/kernel"
)

// least is the number of multiply-adds that are worth starting a goroutine: about 20 µs.
const least = 1 << 20

// job is the part of a product that one goroutine computes. Jobs are reused, including the
// function value, so that starting one allocates nothing.
type job struct {
	p    product
	s    *kernel.Set
	team *team
	do   func()
}

var jobs = sync.Pool{New: func() any {
	j := new(job)
	j.do = func() { helpers.work(j) }
	return j
}}

// run runs j. Afterwards j belongs to the goroutine that waits for its team. If the job
// panics, that goroutine panics with the same value.
func (j *job) run() {
	t := j.team
	defer func() {
		if v := recover(); v != nil {
			kept := v // allocated here only
			t.failed.CompareAndSwap(nil, &kept)
		}
		t.left.Add(-1)
		t.done.Done()
	}()
	j.p.alone(j.s)
}

// team holds the jobs of one product.
type team struct {
	jobs   []*job
	left   atomic.Int32 // jobs that are not done
	done   sync.WaitGroup
	failed atomic.Pointer[any] // the first panic of a job
}

// wait returns when all jobs are done. It runs the jobs that no goroutine has started.
func (t *team) wait() {
	for _, j := range t.jobs {
		if helpers.withdraw(j) {
			j.run()
		}
	}
	for range patience {
		if t.left.Load() == 0 {
			break
		}
		runtime.Gosched()
	}
	t.done.Wait()
}

var teams = sync.Pool{New: func() any { return new(team) }}

// alone computes p in the calling goroutine.
func (p *product) alone(s *kernel.Set) {
	if p.tiny(s) {
		p.panelsOfRows(s)
		return
	}
	w := workspaces.Get().(*workspace)
	p.run(s, w)
	workspaces.Put(w)
}

// cut computes p in at most n goroutines. Each computes a band of the rows or columns of C.
// Every element is its own chain, so the bands change no bit.
func (p *product) cut(s *kernel.Set, n int) {
	if n < 2 {
		p.alone(s)
		return
	}
	n = min(n, p.m*p.n/max(1, least/p.k))
	length, grain := p.n, s.NR
	if p.m > p.n {
		length, grain = p.m, 2*s.MR
	}
	n = min(n, (length+grain-1)/grain)
	if n < 2 {
		p.alone(s)
		return
	}
	t := teams.Get().(*team)
	t.left.Store(int32(n))
	t.done.Add(n)
	for i := range n {
		lo, hi := bound(length, grain, i, n), bound(length, grain, i+1, n)
		j := jobs.Get().(*job)
		j.p, j.s, j.team = p.band(lo, hi), s, t
		t.jobs = append(t.jobs, j)
		if i < n-1 {
			helpers.start(j)
		} else {
			j.run()
		}
	}
	t.wait()
	for i, j := range t.jobs {
		j.p, j.team = product{}, nil
		jobs.Put(j)
		t.jobs[i] = nil
	}
	t.jobs = t.jobs[:0]
	failed := t.failed.Swap(nil)
	teams.Put(t)
	if failed != nil {
		panic(*failed)
	}
}

// bound returns where part i of n of a length begins, in whole grains.
func bound(length, grain, i, n int) int {
	grains := (length + grain - 1) / grain
	return min(length, grains*i/n*grain)
}

// band returns rows lo to hi of p if p has more rows than columns, otherwise columns lo to
// hi.
func (p *product) band(lo, hi int) product {
	q := *p
	if p.m > p.n {
		q.m, q.a, q.c = hi-lo, p.a.view(lo, 0), p.c.view(lo, 0)
	} else {
		q.n, q.b, q.c = hi-lo, p.b.view(0, lo), p.c.view(0, lo)
	}
	return q
}
