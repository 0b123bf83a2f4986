package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tributary/shared/access"
	"tributary/shared/job"
)

// Web reads files over http and https. It sends no credentials and no cookies.
type Web struct {
	// Allowed reports whether an address may be read, of the source and of each redirect;
	// nil allows all. With it, addresses of the local network and of the machine's
	// metadata are refused unless the host of the address is such an IP address itself.
	Allowed func(*url.URL) bool
	// Pause is the time before the second request; 0 means 200 ms.
	Pause time.Duration
}

// Open opens a file. Reading goes on after a fault of the network, if the file has not
// changed. Faults that a person can correct are job.ErrInvalid.
func (w *Web) Open(ctx context.Context, address string) (io.ReadCloser, error) {
	if wrong := job.CheckPlace(address); wrong != "" {
		return nil, fmt.Errorf("%s: %w", wrong, job.ErrInvalid)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the address cannot be read: %w", job.ErrInvalid)
	}
	if w.Allowed != nil && !w.Allowed(u) {
		return nil, errNotAllowed
	}
	client := w.client(u)
	first := w.Pause
	if first == 0 {
		first = firstPause
	}
	return fetch(ctx, func(ctx context.Context, from int64, tag string) (Part, error) {
		return request(ctx, client, u, from, tag)
	}, first)
}

var errNotAllowed = fmt.Errorf("this address is not among the places that the coordinator allows (--data-place): %w", job.ErrInvalid)

const maxRedirects = 10

func (w *Web) client(source *url.URL) *http.Client {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	if w.Allowed != nil {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return outside(address, source.Hostname()) }
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: 30 * time.Second,
			ResponseHeaderTimeout: stallTime, DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 1 << 20,
			ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return fmt.Errorf("over %d redirects: %w", maxRedirects, job.ErrInvalid)
			case next.URL.Scheme != "https" && next.URL.Scheme != "http" || via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https":
				return fmt.Errorf("a redirect from https to %.20q: %w", next.URL.Scheme, job.ErrInvalid)
			case w.Allowed != nil && !w.Allowed(next.URL):
				return fmt.Errorf("a redirect to %.200q: %w", access.Show(next.URL.String()), errNotAllowed)
			}
			next.Header.Del("Referer")
			return nil
		},
	}
}

// metadata are addresses at which clouds give a machine its credentials, besides those of
// the local link.
var metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("192.0.0.192")}

// outside refuses the IP addresses that a name must not lead to. host is the host that the
// operator allows.
func outside(address, host string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("the host has no IP address: %w", job.ErrInvalid)
	}
	ip := to.Addr().Unmap().WithZone("")
	if named, err := netip.ParseAddr(host); err == nil && named.Unmap() == ip {
		return nil
	}
	refused := ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified()
	for _, m := range metadata {
		refused = refused || ip == m
	}
	if refused {
		return fmt.Errorf("the host has the IP address %s, which is of the machine itself: %w", ip, job.ErrInvalid)
	}
	return nil
}

// request asks for the bytes from an offset on.
func request(ctx context.Context, client *http.Client, u *url.URL, from int64, tag string) (Part, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Part{}, fmt.Errorf("the address cannot be read: %w", job.ErrInvalid)
	}
	r.Header.Set("User-Agent", "tributary")
	r.Header.Set("Accept-Encoding", "identity")
	if from > 0 && tag != "" {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		r.Header.Set("If-Range", tag)
	}
	answer, err := client.Do(r)
	if err != nil {
		return Part{}, webError(err)
	}
	part := Part{Body: answer.Body, Size: answer.ContentLength, Tag: strong(answer.Header.Get("ETag"))}
	switch code := answer.StatusCode; {
	case code == http.StatusOK:
		return part, nil
	case code == http.StatusPartialContent && from > 0 && tag != "":
		part.From, part.Size = rangeOf(answer.Header.Get("Content-Range"))
		return part, nil
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		err = fmt.Errorf("the server answers %s", answer.Status)
	default:
		err = fmt.Errorf("the server answers %.80q: %w", answer.Status, job.ErrInvalid)
	}
	_ = answer.Body.Close() // not read
	return Part{}, err
}

// strong returns an ETag that stands for the same bytes, or "".
func strong(tag string) string {
	if len(tag) < 2 || tag[0] != '"' {
		return ""
	}
	return tag
}

// rangeOf parses "bytes 5-9/10": the first offset, and the bytes of the whole file. It
// returns −1 for what it cannot read.
func rangeOf(text string) (from, size int64) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(text, "bytes "), "-")
	_, all, _ := strings.Cut(rest, "/")
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return -1, -1
	}
	if size, err = strconv.ParseInt(all, 10, 64); err != nil {
		size = -1
	}
	return from, size
}

// webError gives an error of a request its class, and leaves the address out.
func webError(err error) error {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err
	}
	if lookup := (*net.DNSError)(nil); errors.As(err, &lookup) && lookup.IsNotFound {
		return fmt.Errorf("there is no host %.80q: %w", lookup.Name, job.ErrInvalid)
	}
	return err
}
