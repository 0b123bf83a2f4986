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
	"tributary/shared/tree"
)

// Job is what of a job decides its speed.
type Job struct {
	Params       int `json:"params"`       // P
	Batch        int `json:"batch"`        // rows per step
	Microbatches int `json:"microbatches"` // M
}

// Bytes is the size of a gradient: P float32.
func (j Job) Bytes() float64 { return 4 * float64(j.Params) }

// Costs are what single operations take, in seconds. A vector is P float32. In
// the ledger's operations the wire is left out: they were measured beside it.
type Costs struct {
	Microbatch float64 `json:"microbatch"` // one micro-batch's gradient, while all slots of the worker compute
	Add        float64 `json:"add"`        // the sum of two vectors
	Fold       float64 `json:"fold"`       // the optimizer's step
	Put        float64 `json:"put"`        // a vector into Redis, nobody else there
	Get        float64 `json:"get"`        // a vector out of Redis, nobody else there
	SharedPut  float64 `json:"shared_put"` // what a vector more costs a Redis that is busy: 1 / its throughput
	SharedGet  float64 `json:"shared_get"`
	Queue      float64 `json:"queue"` // per step: plan, publish, deliver, acknowledge, announce
}

// Network is what joins workers and Redis.
type Network struct {
	// Bandwidth of every link, each worker's and Redis's, in bits per second and
	// direction. Redis's own link is the one that all share.
	Bandwidth float64 `json:"bandwidth"`
}

// wire is the time of n vectors on one link.
func (n Network) wire(j Job, vectors float64) float64 { return vectors * j.Bytes() * 8 / n.Bandwidth }

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

// Predict says how a step goes with so many workers of so many slots each, all
// of them alike. Its parts follow each other:
//
//   - every worker but the one that committed reads the last root gradient, W−1
//     vectors out of Redis at once, and folds it;
//   - N = min(W·slots, M) tasks compute; the longest has the most micro-batches;
//   - each puts its partial, N vectors into Redis at once (none when N = 1:
//     that partial is the root);
//   - whoever was last reads the N−1 others, adds them, and appends the root.
//
// What is done by many at once takes as long as one alone with its own link,
// or as Redis's thread or link for all of them.
func Predict(j Job, c Costs, n Network, workers, slots int) Step {
	s := Step{Workers: workers, Tasks: min(workers*slots, j.Microbatches), Queue: c.Queue}
	longest := 0
	for _, node := range tree.Cover(j.Microbatches, s.Tasks) {
		if lo, hi, ok := node.Leaves(j.Microbatches); ok {
			longest = max(longest, hi-lo)
		}
	}
	s.Compute = float64(longest)*c.Microbatch + float64(longest-1)*c.Add + c.Fold
	atOnce := func(vectors, perLink, alone, shared float64) float64 {
		if vectors == 0 {
			return 0
		}
		return max(alone+n.wire(j, perLink), vectors*shared, n.wire(j, vectors))
	}
	readers, partials := float64(workers-1), 0.0
	if s.Tasks > 1 {
		partials = float64(s.Tasks)
	}
	perLink := float64((s.Tasks + workers - 1) / workers)
	others := max(0, partials-1)
	s.Communication = atOnce(readers, 1, c.Get, c.SharedGet) +
		atOnce(partials, perLink, c.Put, c.SharedPut) +
		others*(atOnce(1, 1, c.Get, c.SharedGet)+c.Add) +
		atOnce(1, 1, c.Put, c.SharedPut)
	s.In = (partials + 1) * j.Bytes()
	s.Out = (others + readers) * j.Bytes()
	s.Samples = float64(j.Batch) / s.Seconds()
	return s
}
