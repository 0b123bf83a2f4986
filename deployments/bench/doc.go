// Package bench measures the deployed whole: worker processes on real servers.
// It holds benchmarks only; see make bench.
package bench
