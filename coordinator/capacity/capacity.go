// Package capacity is a model of how fast a fleet trains a job: bytes and
// seconds per step for so many workers, from what single operations cost.
//
// It owns the formulas, which follow a step through worker/compute and
// ledger/redis, and no measurement. Package sizing measures, calls it, and
// prints what it says.
//
// Invariant: it is pure, and more bandwidth or cheaper operations never make a
// step slower.
package capacity

import (
	"math"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// Job is what of a job decides its speed.
type Job struct {
	Params       int `json:"params"`       // P
	Chunks       int `json:"chunks"`       // of a gradient, in Redis
	Batch        int `json:"batch"`        // rows per step
	Microbatches int `json:"microbatches"` // M
	Vectors      int `json:"vectors"`      // of a snapshot: the parameters and the optimizer's

	Wire wire.Format `json:"-"` // of gradients
}

// The sizes in bytes of a partial, of a root gradient, and of what a lossy wire keeps
// beside that.
func (j Job) partial() float64 { return float64(j.Wire.Partials().Size(j.Params)) }
func (j Job) root() float64    { return float64(j.Wire.Size(j.Params)) }
func (j Job) residual() float64 {
	if j.Wire.Lossy() {
		return j.partial()
	}
	return 0
}

// vector is the size of P float32.
func (j Job) vector() float64 { return 4 * float64(j.Params) }

// together is how many steps of so many seconds one worker commits at a time.
func (j Job) together(seconds float64) float64 {
	if steps := math.Floor(job.Ahead.Seconds() / seconds); steps > float64(1+j.Vectors) && !j.Wire.Lossy() {
		return min(steps, ledger.MaxBatch)
	}
	return 1
}

// Costs are what single operations take, in seconds. A vector is P float32; what is
// shorter on a lossy wire is taken to cost Redis as much less, and rounding nothing.
// In the ledger's operations the link is left out: they were measured beside it.
type Costs struct {
	Microbatch float64 `json:"microbatch"` // one micro-batch's gradient, on all slots of a worker
	Add        float64 `json:"add"`        // the sum of two vectors
	Fold       float64 `json:"fold"`       // the optimizer's step
	Put        float64 `json:"put"`        // a vector into Redis, nobody else there
	Get        float64 `json:"get"`        // a vector out of Redis, nobody else there
	SharedPut  float64 `json:"shared_put"` // what a vector more costs a Redis that is busy: 1 / its throughput
	SharedGet  float64 `json:"shared_get"`
	Queue      float64 `json:"queue"` // per step of one task: its share of planning and queue, and the announcement
	Task       float64 `json:"task"`  // per task more: to hear of the commit, and one more for Redis to record
}

// Network is what joins workers and Redis.
type Network struct {
	// Bandwidth of every link, each worker's and Redis's, in bits per second and
	// direction. Redis's own link is the one that all share.
	Bandwidth float64 `json:"bandwidth"`
}

// link is the time of so many bytes on one link.
func (n Network) link(bytes float64) float64 { return bytes * 8 / n.Bandwidth }

// Step is the prediction for one fleet.
type Step struct {
	Workers       int     `json:"workers"`
	Tasks         int     `json:"tasks"`         // per step
	In            float64 `json:"bytes_in"`      // into Redis, per step
	Out           float64 `json:"bytes_out"`     // out of Redis, per step
	Compute       float64 `json:"compute"`       // seconds: gradients and fold
	Communication float64 `json:"communication"` // seconds: partials, their sum, the log
	Queue         float64 `json:"queue"`         // seconds
	Samples       float64 `json:"samples_per_second"`
}

// Seconds is the time of the whole step.
func (s Step) Seconds() float64 { return s.Compute + s.Communication + s.Queue }

// Predict says how a step goes with so many workers, all of them alike. Of
// the batch's tree N = min(W, M) nodes are tasks, one a worker, and the longest
// has the most micro-batches. One task alone (N = 1) goes on for job.Ahead and commits
// these steps with one snapshot, or appends each root when those are less, while it
// computes the next. Of several, that finish together:
//
//   - each stores its partial but for the chunks that it completes, N−1 vectors
//     into Redis in all;
//   - each completes a share of the chunks, reads the others' partials of them,
//     N−1 vectors out in all, and adds them up;
//   - each appends its share of the root, a vector in all;
//   - each reads the rest of the root, W−1 vectors out in all, and folds it.
//
// So a worker moves 2·(W−1)/W vectors down and one up, as in a reduce-scatter
// and all-gather whose links all end in Redis. With a lossy wire each also appends the
// residuals of its chunks and, if N > 1, reads those before. What is done by many at once
// takes as long as one with its own link, or as Redis's thread or link for all.
func Predict(j Job, c Costs, n Network, workers int) Step {
	tasks := min(workers, j.Microbatches)
	s := Step{Workers: workers, Tasks: tasks, Queue: c.Queue + float64(tasks-1)*c.Task}
	longest := 0
	for _, node := range tree.Cover(j.Microbatches, tasks) {
		if lo, hi, ok := node.Leaves(j.Microbatches); ok {
			longest = max(longest, hi-lo)
		}
	}
	s.Compute = float64(longest)*c.Microbatch + float64(longest-1)*c.Add + c.Fold
	// moving is the time of bytes: each those of the busiest worker, all everybody's.
	moving := func(each, all, alone, shared float64) float64 {
		return max(each/j.vector()*alone+n.link(each), all/j.vector()*shared, n.link(all))
	}
	in := func(each, all float64) float64 { return moving(each, all, c.Put, c.SharedPut) }
	out := func(each, all float64) float64 { return moving(each, all, c.Get, c.SharedGet) }
	others, readers := float64(tasks-1), float64(workers-1)
	share := 1 / float64(min(tasks, j.Chunks)) // of the chunks, that one completes
	rest := 1 - share
	if tasks > j.Chunks || workers > tasks {
		rest = 1 // somebody completes none
	}
	logged, partials, roots := j.root()+j.residual(), others*j.partial(), readers*j.root()
	s.In, s.Out = partials+logged, partials+roots
	commit := in(share*logged, logged)
	if together := j.together(s.Compute + s.Queue); tasks == 1 && together > 1 {
		snapshot := float64(j.Vectors) * j.vector()
		s.In, s.Out, s.Queue = snapshot/together, 0, s.Queue/together
		s.Communication = max(0, in(snapshot, snapshot)/together-s.Compute)
	} else if tasks == 1 {
		s.Communication = max(0, commit-s.Compute)
	} else {
		s.Out += j.residual()
		s.Communication = in(rest*j.partial(), partials) + out(share*(partials+j.residual()), partials+j.residual()) + share*others*c.Add +
			commit + out(rest*j.root(), roots)
	}
	s.Samples = float64(j.Batch) / s.Seconds()
	return s
}
