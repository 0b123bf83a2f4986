// Package gradient computes the result of a task: the partial of a node of a
// step's reduction tree, or the metric sums of one block.
//
// It owns the way from a plan and parameters to a partial: which rows a
// micro-batch has, where they lie, the threads of a task, the sum of the losses
// along the tree. It does not know queues or ledgers. Workers call it, and so
// does the one-process reference in package serial.
//
// Invariant: a result is a pure function of (plan, parameters, step, node).
package gradient
