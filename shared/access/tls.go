package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"tributary/shared/job"
)

// TLS names PEM files, and says how the server is verified.
type TLS struct {
	CA        File // certificates to trust instead of the system's; empty: the system's
	Cert, Key File // client certificate and its key; both or neither
	Insecure  bool // do not verify the server's certificate; for trials only
}

// Used reports whether anything is set.
func (t TLS) Used() bool { return t != TLS{} }

// Apply reads the files into a TLS configuration. Errors are job.ErrInvalid; they name
// the file, and the server by the name of.
func (t TLS) Apply(of string, c *tls.Config) error {
	c.MinVersion = tls.VersionTLS12
	c.InsecureSkipVerify = t.Insecure
	if t.CA != "" {
		pem, err := t.CA.Read(of + " ca file")
		if err != nil {
			return err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s ca file %s: it has no certificate in PEM: %w", of, t.CA, job.ErrInvalid)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return fmt.Errorf("%s: cert and key go together; one of them is missing: %w", of, job.ErrInvalid)
	}
	if t.Cert == "" {
		return nil
	}
	cert, err := t.Cert.Read(of + " cert file")
	if err != nil {
		return err
	}
	key, err := t.Key.Read(of + " key file")
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("%s cert file %s and key file %s: %w: %w", of, t.Cert, t.Key, err, job.ErrInvalid)
	}
	c.Certificates = []tls.Certificate{pair}
	return nil
}

// alerts are the TLS alerts that mean a permanent refusal, with the advice for each.
var alerts = map[tls.AlertError]string{
	40:  "it accepts none of this program's versions and ciphers of TLS; correct the server's TLS settings",
	42:  "it refuses this program's certificate; set another certificate and key",
	43:  "it refuses this program's certificate; set another certificate and key",
	44:  "it has revoked this program's certificate; set another certificate and key",
	45:  "this program's certificate has expired; renew it",
	46:  "it refuses this program's certificate; set another certificate and key",
	48:  "it does not know the authority of this program's certificate; set one that it knows",
	70:  "it accepts none of this program's versions of TLS, 1.2 and 1.3; correct the server's TLS settings",
	116: "it wants a certificate from this program; set the certificate and key",
}

// TLSFault returns advice for a TLS fault that does not go away by itself: it needs
// another certificate, authority or scheme. It returns "" for any other error.
func TLSFault(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		noTLS    tls.RecordHeaderError
		noAnchor x509.SystemRootsError
	)
	switch {
	case errors.As(err, &unknown), errors.As(err, &noAnchor):
		return "this program does not trust the authority of the server's certificate; name the file of that authority's certificate in the ca setting"
	case errors.As(err, &name):
		return "the server's certificate is for another name; use a name that the certificate has in the URL, or renew the certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate has expired or is not valid yet; renew it, and check the clocks"
	case errors.As(err, &invalid), errors.As(err, &verify):
		return "the server's certificate is not valid; renew it"
	case errors.As(err, &noTLS):
		return "the server does not use TLS at this address; use the scheme without TLS, or the server's port for TLS"
	default:
		return refusal(err)
	}
}

// refusal returns the advice for a TLS alert of the server, or "" for any other error.
func refusal(err error) string {
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" {
		return ""
	}
	for alert, say := range alerts { // the type of remote.Err is private to crypto/tls
		if remote.Err.Error() == alert.Error() {
			return say
		}
	}
	return ""
}
