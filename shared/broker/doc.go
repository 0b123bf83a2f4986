// Package broker speaks NATS, alone in this module: tasks on a JetStream work
// queue, job records and leases in KV buckets, blobs and models in object
// buckets, notices over core NATS, events in a stream, the request API.
//
// It owns subjects, streams, buckets and their limits, and maps what NATS says
// to the error classes of package job. It decides nothing about jobs. Both
// programs connect here; package broker/embedded runs a server in-process.
//
// Invariant: every call ends: with its context, with an answer, or by a
// time-out of its own. A lost server is waited for, never hung on.
package broker
