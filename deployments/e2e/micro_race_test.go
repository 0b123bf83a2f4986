//go:build race

package e2e

// raced: steps take several times as long.
const raced = true
