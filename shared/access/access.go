// Package access is how a program gets at a server: its address, credentials
// and certificates, as settings that do not show what is secret.
//
// It owns the types of these settings, reading the files they name, and what a
// person can do about a TLS fault. What is behind an address it leaves to its
// callers, shared/broker, shared/ledger/redis and shared/blob/s3.
//
// Invariant: no error of this package, and no printed, logged or marshalled
// value of its types, contains a user name, a password, a token or a key.
package access

// hidden stands for what is not shown.
const hidden = "(hidden)"

// Address is a path, or an address of a store, which may hold credentials. It prints as Show does.
type Address string

// Reveal returns the whole address.
func (a Address) Reveal() string { return string(a) }

// String implements fmt.Stringer.
func (a Address) String() string { return Show(string(a)) }

// GoString implements fmt.GoStringer.
func (a Address) GoString() string { return `"` + a.String() + `"` }

// MarshalText implements encoding.TextMarshaler.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Text is a secret: a password or a token. It prints and marshals as
// "(hidden)", and as "" when there is none.
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
