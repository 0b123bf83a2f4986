// Package trial says what a sweep is: a search for good values of a spec's fields, which
// trains one job for each of many combinations and compares them by a figure of the
// validation split.
//
// It owns the text of a sweep, the choice of its trials (grid, random, successive halving,
// folds), their specs and ids, their ranking, and the record of a sweep. It does no I/O.
// Package coordinator/sweep runs a sweep at a terminal, package coordinator/search one that
// was submitted over NATS; package shared/broker stores the records.
//
// Invariant: the trials are a pure function of the sweep, and the jobs that can be submitted
// next are a pure function of the sweep and the results that its record has. So any
// coordinator can go on with a sweep, and both ways to run one have the same best trial.
package trial
