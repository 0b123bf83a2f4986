// Package sweep runs a sweep at a terminal: it trains one job for each of many combinations of
// a spec's fields and compares them by a figure of the validation split.
//
// It owns the command, the table and the picture. It leaves the choice of the trials and
// their ranking to shared/trial, and each trial to coordinator/train; with NATS servers it
// submits the sweep to their coordinators and follows it. The coordinator's main package
// runs its Command.
//
// Invariant: the trials are a pure function of the sweep's file and the job's spec, and the
// best one depends on figures of the validation split alone. So a sweep that was stopped goes
// on with the trials that are missing, and ends with the same best model.
package sweep
