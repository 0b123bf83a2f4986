package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// Error codes of JetStream's API (server/errors.json) for which the client library has no
// name.
const (
	codeAccountLimit  = 10002 // resource limits exceeded for account
	codeIncomplete    = 10004 // incomplete results
	codeNoPeers       = 10005 // no suitable peers for placement
	codeNotAvailable  = 10008 // JetStream system temporarily unavailable: there is no leader
	codeNotLeader     = 10009 // JetStream cluster can not handle request
	codeInsufficient  = 10023 // insufficient resources
	codeMemoryLimit   = 10028 // insufficient memory resources available
	codeStorageLimit  = 10047 // insufficient storage resources available
	codeUpdateFailed  = 10069 // the stream's configuration cannot be changed; the description says why
	codeStoreFailed   = 10077 // message refused; the description says why
	codeStreamOffline = 10118 // stream is offline: the servers that hold it are
	codeAccountStream = 10122 // stream max bytes exceeds account limit
)

// classify adds to an error of NATS the class on which the caller acts.
func classify(err error) error {
	if missing(err) && !errors.Is(err, errMissing) {
		return fmt.Errorf("%w: %w", errMissing, err)
	}
	class := classOf(err)
	if class == nil || errors.Is(err, class) {
		return err
	}
	return fmt.Errorf("%w: %w", err, class)
}

// errMissing says that a stream or a bucket of Setup does not exist. It is not
// job.ErrNotFound: it says nothing about the requested data. The error ends when a
// coordinator creates the stream again, or when JetStream starts.
var errMissing = errors.New("the stream or bucket is missing in NATS, or JetStream is not available")

// missing reports whether err means that a stream is missing, not something in it. The
// server does not answer requests for a stream that does not exist.
func missing(err error) bool {
	for _, cause := range []error{
		errMissing, jetstream.ErrStreamNotFound, jetstream.ErrBucketNotFound, jetstream.ErrNoStreamResponse, nats.ErrNoResponders,
		nats.ErrStreamNotFound, // from the parts of the client library that still use its older interface
	} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// classes maps errors of the client library to error classes.
var classes = []struct {
	class  error
	causes []error
}{
	{job.ErrNotFound, []error{
		jetstream.ErrMsgNotFound, jetstream.ErrKeyNotFound, jetstream.ErrKeyDeleted,
		jetstream.ErrObjectNotFound, jetstream.ErrNoKeysFound,
	}},
	{job.ErrConflict, []error{jetstream.ErrKeyExists, jetstream.ErrKeyRevisionMismatch}},
	{job.ErrInvalid, []error{
		jetstream.ErrInvalidBucketName, jetstream.ErrInvalidStoreName, jetstream.ErrInvalidKey,
		jetstream.ErrBadObjectMeta, jetstream.ErrBadBucket, nats.ErrMaxPayload, nats.ErrBadSubject,
	}},
	{job.ErrCorrupt, []error{jetstream.ErrDigestMismatch}},
}

func classOf(err error) error {
	for _, known := range classes {
		for _, cause := range known.causes {
			if errors.Is(err, cause) {
				return known.class
			}
		}
	}
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return nil
	}
	switch api.ErrorCode {
	case codeAccountLimit, codeInsufficient, codeMemoryLimit, codeStorageLimit, codeAccountStream:
		return job.ErrFull
	case codeStoreFailed:
		// "maximum bytes exceeded" and similar texts, or the disk's own message
		for _, full := range []string{"maximum", "no space", "insufficient", "limits exceeded"} {
			if strings.Contains(api.Description, full) {
				return job.ErrFull
			}
		}
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return job.ErrConflict
	}
	return nil
}

// temporary reports whether the same call to JetStream may succeed later without any
// action: a cluster is still starting, or elects a leader. A leader that was just elected
// does not know yet how much space its peers have.
func temporary(err error) bool {
	if errors.Is(err, job.ErrInvalid) {
		return false
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch api.ErrorCode {
		case codeIncomplete, codeNoPeers, codeNotAvailable, codeNotLeader, codeInsufficient, codeStreamOffline:
			return true
		}
		return false
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders)
}

// directoryGone reports whether an update of a stream failed because the server has removed
// the stream's directory.
func directoryGone(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == codeUpdateFailed && strings.Contains(api.Description, "no such file or directory")
}

// wrap adds to err the operation that failed; nil stays nil.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, classify(err))
}
