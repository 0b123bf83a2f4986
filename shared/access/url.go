package access

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"tributary/shared/job"
)

// URL is the address of a server, or of several, separated by commas. It may contain a
// user, a password or a token, so it prints and marshals without them.
type URL string

// Reveal returns the whole address, for the library that connects.
func (u URL) Reveal() string { return string(u) }

// String returns the scheme, host and path of each address. It does not show an address
// that cannot be parsed.
func (u URL) String() string {
	list := strings.Split(string(u), ",")
	if torn(list) {
		return unreadable
	}
	for i, text := range list {
		list[i] = shown(strings.TrimSpace(text))
	}
	return strings.Join(list, ",")
}

// GoString implements fmt.GoStringer.
func (u URL) GoString() string { return `"` + u.String() + `"` }

// MarshalText implements encoding.TextMarshaler.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Show returns a text that is safe to show: an address without user, password and query.
// Any other text, such as a path, is returned unchanged.
func Show(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	return shown(text)
}

// unreadable is shown in place of an address that cannot be parsed, because a secret may
// be anywhere in it.
const unreadable = "(an address that cannot be read)"

func shown(text string) string {
	bare := !strings.Contains(text, "://")
	if bare {
		text = "//" + text
	}
	u, err := url.Parse(text)
	if err != nil || misplaced(u) {
		return unreadable
	}
	u.User, u.RawQuery, u.ForceQuery = nil, "", false
	if bare {
		return strings.TrimPrefix(u.String(), "//")
	}
	return u.String()
}

// misplaced reports whether a part of the address may come from a user name or
// password that is not percent-encoded.
func misplaced(u *url.URL) bool {
	return u.Fragment != "" || strings.Contains(u.Opaque+u.EscapedPath()+u.RawQuery, "@")
}

// torn reports whether a comma probably belongs to a password: after an address with a
// scheme comes one with a user but without a scheme.
func torn(list []string) bool {
	return strings.Contains(list[0], "://") && slices.ContainsFunc(list[1:], func(text string) bool {
		return strings.Contains(text, "@") && !strings.Contains(text, "://")
	})
}

// errEncode does not say what is wrong, because that would show part of a password.
var errEncode = errors.New("it cannot be read; in a user name and a password, write % as %25, # as %23, / as %2F, ? as %3F, @ as %40 and a comma as %2C, or use the settings for user and password")

// ParseURL parses an address. schemes are the allowed schemes, without "://". Its error
// is job.ErrInvalid and does not contain the address.
func ParseURL(text string, schemes ...string) (*url.URL, error) {
	want := "want " + strings.Join(schemes, ":// or ") + "://"
	u, err := parseURL(text, schemes)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", err, want, job.ErrInvalid)
	}
	return u, nil
}

func parseURL(text string, schemes []string) (*url.URL, error) {
	switch scheme, _, ok := strings.Cut(text, "://"); {
	case text == "":
		return nil, errors.New("it is empty")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return nil, errors.New("it has a space, a line break or a control character")
	case !ok:
		return nil, errors.New("it has no scheme")
	case !slices.Contains(schemes, scheme) && len(scheme) <= 12 && !strings.Contains(scheme, ":"):
		return nil, fmt.Errorf("scheme %q is not supported", scheme)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || misplaced(u):
		return nil, errEncode
	case !slices.Contains(schemes, u.Scheme):
		return nil, errors.New("its scheme is not supported")
	}
	return u, nil
}

// Servers parses a list of addresses. An address without a scheme gets the first of
// schemes. A server's address must have no path and no query. Errors are like those of
// ParseURL.
func (u URL) Servers(schemes ...string) ([]*url.URL, error) {
	list := strings.Split(string(u), ",")
	if torn(list) {
		return nil, fmt.Errorf("%w: %w", errEncode, job.ErrInvalid)
	}
	servers := make([]*url.URL, len(list))
	for i, text := range list {
		text = strings.TrimSpace(text)
		if text != "" && !strings.Contains(text, "://") {
			text = schemes[0] + "://" + text
		}
		s, err := ParseURL(text, schemes...)
		switch {
		case err != nil:
			return nil, err
		case s.Hostname() == "":
			return nil, fmt.Errorf("it names no host: want %s://host:port: %w", s.Scheme, job.ErrInvalid)
		case strings.Trim(s.Path, "/") != "" || s.RawQuery != "":
			return nil, fmt.Errorf("it has more than a host and a port: want %s://host:port: %w", s.Scheme, job.ErrInvalid)
		}
		servers[i] = s
	}
	return servers, nil
}
