// Package jobs tests the example jobs in this folder. It contains only tests.
package jobs
