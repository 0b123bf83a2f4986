// Package search carries out the sweeps that were submitted over NATS: it submits their
// trials as ordinary jobs, notes how these end, and begins the next round of successive
// halving.
//
// It owns the loop that does so, under one lease for all sweeps, and how many trials run at
// a time. It leaves what comes next to shared/trial, the jobs to coordinator/run, and the
// requests to coordinator/api. Package serve starts a [Runner] in each coordinator.
//
// Invariant: everything that a Runner knows is in the records of the sweeps and of the jobs.
// The jobs' ids are derived from the sweep, and the submission of a job is idempotent. So
// another coordinator can go on at any moment, and two at once do no harm.
package search
