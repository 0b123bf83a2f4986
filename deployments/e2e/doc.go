// Package e2e tests the deployed whole the way people use it: real programs,
// real servers, the nats protocol, killed processes. It holds tests only.
package e2e
