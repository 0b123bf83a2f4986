// Package sim runs a whole fleet in one bubble of fake time, from one seed. It runs the
// real coordinators and workers on simulated stores. The seed chooses how the stores
// fail. The same seed gives the same story, to the nanosecond.
//
// In one of eight worlds jobs are long and a step takes time. There a worker computes
// hundreds of steps without the ledger, and some workers are killed in the middle of
// them.
//
// The package owns the simulated world, the faults and the checks. It contains only
// tests. The programs themselves compute, decide and retry; only the servers are
// simulated.
//
// Invariant: whatever a seed chooses, each root gradient, snapshot, evaluation and model
// in the stores has the bits that shared/serial computes. After the faults are over,
// every job ends and its training state is deleted. The tests count what is stored even
// after that, and blobs that nothing refers to.
//
//	go test ./deployments/sim                               # 200 seeds and the regressions
//	go test ./deployments/sim -run TestSeeds -seeds 25000   # many, and every branch
//	go test ./deployments/sim -v -run TestSeeds -seed 4711  # one seed, told line by line
package sim
