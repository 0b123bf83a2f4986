package broker

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// Error codes of JetStream's API (server/errors.json) that the client library
// does not name.
const (
	codeAccountLimit  = 10002 // resource limits exceeded for account
	codeInsufficient  = 10023 // insufficient resources
	codeMemoryLimit   = 10028 // insufficient memory resources available
	codeStorageLimit  = 10047 // insufficient storage resources available
	codeStoreFailed   = 10077 // message refused; the description says why
	codeAccountStream = 10122 // stream max bytes exceeds account limit
)

// classify adds the error class that a caller acts on to what NATS said.
func classify(err error) error {
	class := classOf(err)
	if class == nil || errors.Is(err, class) {
		return err
	}
	return fmt.Errorf("%w: %w", err, class)
}

// classes says which class each of the client library's errors is of.
var classes = []struct {
	class  error
	causes []error
}{
	{job.ErrNotFound, []error{
		jetstream.ErrStreamNotFound, jetstream.ErrConsumerNotFound, jetstream.ErrMsgNotFound,
		jetstream.ErrBucketNotFound, jetstream.ErrKeyNotFound, jetstream.ErrKeyDeleted,
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
		if strings.Contains(api.Description, "maximum") { // bytes, messages, messages per subject
			return job.ErrFull
		}
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return job.ErrConflict
	}
	return nil
}

// wrap says what was being done when err happened; nil stays nil.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, classify(err))
}

// redact hides passwords in a list of server addresses.
func redact(servers string) string {
	list := strings.Split(servers, ",")
	for i, s := range list {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil {
			list[i] = u.Redacted()
		} else {
			list[i] = "(unreadable address)"
		}
	}
	return strings.Join(list, ",")
}
