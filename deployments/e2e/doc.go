// Package e2e tests the deployed system as people use it: real programs, real servers,
// the NATS protocol, and killed processes. It contains only tests.
package e2e
