// Package broker is the only package of this module that speaks NATS. It implements the
// task queue on a JetStream work queue, job records and leases in KV buckets, blobs and
// models in object buckets, notices over core NATS, events in a stream, and the request
// API.
//
// It owns subjects, streams, buckets and their limits, and maps NATS errors to the error
// classes of package job. It decides nothing about jobs. Workers and coordinators connect
// through it; package broker/embedded runs a server inside the process.
//
// Invariant: every call ends: with an answer, when its context ends, or with a timeout of
// its own. When the server is away, calls wait for it; no call hangs.
package broker
