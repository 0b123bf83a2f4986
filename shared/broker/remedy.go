package broker

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"tributary/shared/access"
	"tributary/shared/job"
)

// remedy returns what a user can do about an error of the first connection, if waiting does
// not help; "" for any other error.
func remedy(err error) string {
	for _, r := range []struct {
		is  error
		say string
	}{
		{nats.ErrAuthorization, "the server does not accept these credentials; correct the programs' NATS settings or the server's users"},
		{nats.ErrAuthExpired, "these credentials have expired; make new ones"},
		{nats.ErrAuthRevoked, "these credentials are revoked; make new ones"},
		{nats.ErrAccountAuthExpired, "the account of these credentials has expired; renew the account"},
		{nats.ErrNkeysNotSupported, "the server does not support NKeys; use another kind of credentials"},
		{nats.ErrSecureConnWanted, "the server does not use TLS; use nats:// and no ca, cert or key, or turn TLS on at the server"},
	} {
		if errors.Is(err, r.is) {
			return r.say
		}
	}
	return access.TLSFault(err)
}

// transient reports whether a later attempt to connect may succeed.
func transient(err error) bool {
	return remedy(err) == "" && !errors.Is(err, nats.ErrBadTimeout) && !errors.Is(err, job.ErrInvalid)
}

// withRemedy adds the remedy to an error for which waiting does not help.
func withRemedy(err error) error {
	say := remedy(err)
	if say == "" {
		return err
	}
	return fmt.Errorf("%s: %w: %w", say, err, job.ErrInvalid)
}
