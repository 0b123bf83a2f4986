// Package sweep searches for good values of a spec's fields: it trains one job for each of
// many combinations and compares them by a figure of the validation split.
//
// It owns the choice of the trials (grid, random, successive halving), the table and the
// picture. It leaves each trial to coordinator/train. The coordinator's main package runs
// its Command.
//
// Invariant: the trials are a pure function of the sweep's file and the job's spec, and the
// best one depends on figures of the validation split alone. So a sweep that was stopped goes
// on with the trials that are missing, and ends with the same best model.
package sweep
