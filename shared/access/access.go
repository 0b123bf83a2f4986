// Package access holds the settings with which a program reaches a server: address,
// credentials and certificates. Its types do not show what is secret.
//
// It owns the types of these settings, the reading of the files that they name, and
// advice on TLS faults. What to do with a server it leaves to its callers: shared/broker,
// shared/ledger/redis and shared/blob/s3.
//
// Invariant: no error of this package, and no printed, logged or marshalled value of its
// types, contains a user name, a password, a token or a key.
package access

// hidden is shown in place of a secret.
const hidden = "(hidden)"

// Address is a path, or the address of a store, which may contain credentials. It prints
// as Show shows it.
type Address string

// Reveal returns the whole address.
func (a Address) Reveal() string { return string(a) }

// String implements fmt.Stringer.
func (a Address) String() string { return Show(string(a)) }

// GoString implements fmt.GoStringer.
func (a Address) GoString() string { return `"` + a.String() + `"` }

// MarshalText implements encoding.TextMarshaler.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Text is a secret: a password or a token. It prints and marshals as "(hidden)", or as ""
// if it is empty.
type Text string

// Reveal returns the secret, for the library that needs it.
func (t Text) Reveal() string { return string(t) }

// String implements fmt.Stringer without the secret.
func (t Text) String() string {
	if t == "" {
		return ""
	}
	return hidden
}

// GoString implements fmt.GoStringer without the secret.
func (t Text) GoString() string { return `"` + t.String() + `"` }

// MarshalText implements encoding.TextMarshaler without the secret.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
