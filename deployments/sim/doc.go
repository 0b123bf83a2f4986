// Package sim runs a whole fleet in one bubble of fake time, from one seed: the
// real coordinators and workers, on simulated stores that fail in every way a
// seed can choose. The same seed gives the same story, to the nanosecond.
//
// In one of eight worlds jobs are long and a step takes time. There a worker goes on for
// hundreds of steps without the ledger, and some workers are killed in their midst.
//
// It owns the simulated world, the faults and the checks, and holds tests only.
// The computing, deciding and retrying is that of the programs; nothing of
// theirs is imitated here but the servers.
//
// Invariant: whatever a seed chooses, each root gradient, snapshot, evaluation and
// model in the stores has the bits that shared/serial computes, and once the
// faults are over every job ends and its training state is deleted. What is stored
// even after that, and blobs that nothing names, are counted.
//
//	go test ./deployments/sim                               # 200 seeds and the regressions
//	go test ./deployments/sim -run TestSeeds -seeds 25000   # many, and every branch
//	go test ./deployments/sim -v -run TestSeeds -seed 4711  # one seed, told line by line
package sim
