//go:build race

package e2e

// raced says that steps take several times as long, because of the race detector.
const raced = true
