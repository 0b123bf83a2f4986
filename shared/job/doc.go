// Package job is the vocabulary that both programs share: typed ids, tasks, job records
// and states, the spec that a person writes, and the error classes.
//
// It owns these names and their validation. It does no I/O and imports neither program.
// Almost every other package imports it.
//
// Invariant: a [Task] together with the plan that it names determines the bytes of its
// result. Neither contains anything about the fleet.
package job
