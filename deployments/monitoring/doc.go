// Package monitoring is a page about metrics and rules for alerts. Its test reads both; tests of
// the programs' serve packages hold the page against the metrics that there are.
package monitoring
