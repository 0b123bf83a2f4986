// Package jobs tests the worked jobs beside it. It holds tests only.
package jobs
