// Package capacity predicts how fast a fleet trains a job. From the costs of single
// operations it computes the bytes and the seconds per step for a number of workers.
//
// It owns the formulas, which follow a step through worker/compute and ledger/redis. It
// leaves the measurements and the output to package sizing, which calls it.
//
// Invariant: it is pure, and more bandwidth or cheaper operations never make a step
// slower.
package capacity

import (
	"math"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// Job holds the properties of a job that determine its speed.
type Job struct {
	Params       int `json:"params"`       // P
	Chunks       int `json:"chunks"`       // of a gradient, in Redis
	Batch        int `json:"batch"`        // rows per step
	Microbatches int `json:"microbatches"` // M
	Vectors      int `json:"vectors"`      // of a snapshot: the parameters and the optimizer's vectors

	Wire wire.Format `json:"-"` // of gradients
}

// The sizes in bytes of a partial, of a root gradient, and of the residual that a lossy
// wire format adds.
func (j Job) partial() float64 { return float64(j.Wire.Partials().Size(j.Params)) }
func (j Job) root() float64    { return float64(j.Wire.Size(j.Params)) }
func (j Job) residual() float64 {
	if j.Wire.Lossy() {
		return j.partial()
	}
	return 0
}

// vector returns the size of P float32, in bytes.
func (j Job) vector() float64 { return 4 * float64(j.Params) }

// stepsPerCommit returns how many steps of the given seconds one worker commits at a time.
func (j Job) stepsPerCommit(seconds float64) float64 {
	if steps := math.Floor(job.AnnounceTime.Seconds() / seconds); steps > float64(1+j.Vectors) && !j.Wire.Lossy() {
		return min(steps, ledger.MaxBatch)
	}
	return 1
}

// Costs holds the times of single operations, in seconds. A vector is P float32. The
// model assumes that the cost in Redis is proportional to the size on a lossy wire, and
// that rounding is free. The costs of the ledger's operations exclude the link, because
// they were measured next to Redis.
type Costs struct {
	Microbatch float64 `json:"microbatch"` // one micro-batch's gradient, on all slots of a worker
	Add        float64 `json:"add"`        // the sum of two vectors
	Fold       float64 `json:"fold"`       // the optimizer's step
	Put        float64 `json:"put"`        // a vector into Redis with a single client
	Get        float64 `json:"get"`        // a vector out of Redis with a single client
	SharedPut  float64 `json:"shared_put"` // cost of one more vector for a busy Redis: 1 / its throughput
	SharedGet  float64 `json:"shared_get"`
	Queue      float64 `json:"queue"` // per step of one task: its part of planning and queue, and the announcement
	Task       float64 `json:"task"`  // per further task: to receive the commit, and one more record in Redis
}

// Network describes the links between workers and Redis.
type Network struct {
	// Bandwidth is that of every link, each worker's and Redis's, in bits per second and
	// direction. All workers share Redis's link.
	Bandwidth float64 `json:"bandwidth"`
}

// link returns the time of that many bytes on one link, in seconds.
func (n Network) link(bytes float64) float64 { return bytes * 8 / n.Bandwidth }

// Step is the prediction for one fleet size.
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

// Seconds returns the time of the whole step, in seconds.
func (s Step) Seconds() float64 { return s.Compute + s.Communication + s.Queue }

// Predict returns the prediction for a step with that many equal workers. Of the batch's
// tree, N = min(W, M) nodes are tasks, one per worker. The longest task has the most
// micro-batches. If there is only one task (N = 1), its worker commits while it computes
// the next step. It commits the steps of job.Ahead with one snapshot, or appends each root
// if these roots together are smaller. The tasks of N > 1 workers finish together:
//
//   - each stores its partial, except the chunks that it completes: N−1 vectors in
//     total into Redis;
//   - each completes a fraction of the chunks: it reads the others' partials of them,
//     N−1 vectors in total out of Redis, and adds them;
//   - each appends its fraction of the root: one vector in total;
//   - each reads the rest of the root, W−1 vectors in total out of Redis, and folds it.
//
// So a worker moves 2·(W−1)/W vectors down and one up, as in a reduce-scatter and
// all-gather whose links all end in Redis. With a lossy wire each worker also appends the
// residuals of its chunks and, if N > 1, reads the earlier ones. An operation of many
// workers at once takes the maximum of three times: one worker's own link, Redis's thread
// for all, and Redis's link for all.
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
	// moving returns the time of a transfer: each is the bytes of the busiest worker, all
	// is the bytes of all workers.
	moving := func(each, all, alone, shared float64) float64 {
		return max(each/j.vector()*alone+n.link(each), all/j.vector()*shared, n.link(all))
	}
	in := func(each, all float64) float64 { return moving(each, all, c.Put, c.SharedPut) }
	out := func(each, all float64) float64 { return moving(each, all, c.Get, c.SharedGet) }
	others, readers := float64(tasks-1), float64(workers-1)
	share := 1 / float64(min(tasks, j.Chunks)) // fraction of the chunks that one worker completes
	rest := 1 - share
	if tasks > j.Chunks || workers > tasks {
		rest = 1 // some worker completes none
	}
	logged, partials, roots := j.root()+j.residual(), others*j.partial(), readers*j.root()
	s.In, s.Out = partials+logged, partials+roots
	commit := in(share*logged, logged)
	if together := j.stepsPerCommit(s.Compute + s.Queue); tasks == 1 && together > 1 {
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
