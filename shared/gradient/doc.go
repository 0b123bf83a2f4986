// Package gradient computes the result of a task: the partial of a node of a step's
// reduction tree, or the metric sums of one block.
//
// It owns the path from a plan and parameters to a partial: which rows a micro-batch has,
// where these rows are, the threads of a task, and the sum of the losses along the tree. It
// also estimates the memory of a job ([Need]). It does not know queues or ledgers. Workers,
// replicas and the coordinator call it, and so does package serial, the reference in one
// process.
//
// Invariant: a result is a pure function of (plan, parameters, step, node).
package gradient
