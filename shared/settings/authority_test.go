package settings_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/ledger/redis/redistest"
)

// authority signs certificates for the loopback address.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	File access.File // its certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.File, _ = a.sign("authority", time.Hour)
	return a
}

// sign writes a certificate that expires after ends, and its key. The first one is the
// authority's own.
func (a *authority) sign(name string, ends time.Duration) (cert, key access.File) {
	a.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(ends),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: a.cert == nil,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if a.cert == nil {
		a.cert, a.key = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	require.NoError(a.t, err)
	if a.cert == template {
		a.cert, err = x509.ParseCertificate(der)
		require.NoError(a.t, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(a.t, err)
	dir := a.t.TempDir()
	files := [2]string{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for i, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: keyDER}} {
		require.NoError(a.t, os.WriteFile(files[i], pem.EncodeToMemory(block), 0o600))
	}
	return access.File(files[0]), access.File(files[1])
}

// natsWith starts a NATS server and returns its address, host:port.
func natsWith(t *testing.T, o natsserver.Options) string {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", -1, true, true
	o.JetStream, o.StoreDir, o.JetStreamMaxMemory, o.JetStreamMaxStore = true, t.TempDir(), 1<<30, 64<<30
	s, err := natsserver.NewServer(&o)
	require.NoError(t, err)
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(time.Minute))
	return s.Addr().String()
}

func serving(t *testing.T, cert, key access.File) *tls.Config {
	t.Helper()
	c := new(tls.Config)
	require.NoError(t, access.TLS{Cert: cert, Key: key}.Apply("nats", c))
	return c
}

// redisWith starts a redis-server that uses TLS. It returns nil if redis-server has no
// TLS.
func redisWith(t *testing.T, cert, key, ca access.File, more ...string) *redistest.Server {
	t.Helper()
	s := redistest.Reserve(t, "--tls-cert-file", cert.Path(), "--tls-key-file", key.Path(), "--tls-ca-cert-file", ca.Path())
	if s == nil {
		return nil
	}
	_, port, err := net.SplitHostPort(s.Addr)
	require.NoError(t, err)
	s.Add(append([]string{"--port", "0", "--tls-port", port}, more...)...)
	s.Restart()
	return s
}
