// Package job is the vocabulary both programs speak: typed ids, tasks, job
// records and states, the spec a person writes, and the classes of error.
//
// It owns names and their validation. It does no I/O and imports neither
// program. Everyone imports it.
//
// Invariant: a [Task] together with the [Plan] it names determines the bytes
// of its result; nothing about the fleet is in either.
package job
