// Package bench measures the deployed system: worker processes on real servers. It
// contains only benchmarks; see make bench.
package bench
