// Package monitoring holds a page about metrics and the rules for alerts. Its test reads
// both. The tests of the programs' serve packages compare the page with the existing
// metrics.
package monitoring
