package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/job"
	"tributary/shared/ledger/redis/redistest"
)

func TestOptions(t *testing.T) {
	for url, want := range map[string]struct {
		addrs      string
		user, pass string
		db         int
		tls        bool
		cluster    bool
	}{
		"redis://localhost":                      {addrs: "localhost:6379"},
		"redis://u:p@10.0.0.1:7000/3":            {addrs: "10.0.0.1:7000", user: "u", pass: "p", db: 3},
		"rediss://cache.example:6380":            {addrs: "cache.example:6380", tls: true},
		"unix:///run/redis.sock":                 {addrs: "/run/redis.sock"},
		"redis://:p@a:1?addr=b:2&addr=c:3":       {addrs: "a:1 b:2 c:3", pass: "p", cluster: true},
		"rediss://config.example:1?addr=b.ex:22": {addrs: "config.example:1 b.ex:22", tls: true, cluster: true},
	} {
		o, err := Config{URL: access.URL(url)}.options()
		require.NoError(t, err, url)
		require.Equal(t, want.addrs, strings.Join(o.Addrs, " "), url)
		require.Equal(t, want.user+":"+want.pass, o.Username+":"+o.Password, url)
		require.Equal(t, want.db, o.DB, url)
		require.Equal(t, want.tls, o.TLSConfig != nil, url)
		require.Equal(t, want.cluster, o.IsClusterMode, url)
	}
	o, err := Config{URL: "redis://u:p@h", Username: "x", Password: "y"}.options()
	require.NoError(t, err)
	require.Equal(t, "x:y", o.Username+":"+o.Password)
}

func TestBadOptions(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "junk.pem")
	require.NoError(t, os.WriteFile(junk, []byte("junk"), 0o600))
	for name, c := range map[string]Config{
		"empty":           {},
		"scheme":          {URL: "http://u:hidden@h"},
		"no scheme":       {URL: "h:6379"},
		"port":            {URL: "redis://u:hidden@h:port"},
		"control":         {URL: "redis://u:hidden@h\n"},
		"database":        {URL: "redis://u:hidden@h/x"},
		"connections":     {URL: "redis://h", VectorConns: -1},
		"TLS without s":   {URL: "redis://h", TLS: access.TLS{Insecure: true}},
		"no CA":           {URL: "rediss://h", TLS: access.TLS{CA: "/does/not/exist"}},
		"junk CA":         {URL: "rediss://h", TLS: access.TLS{CA: access.File(junk)}},
		"junk key":        {URL: "rediss://h", TLS: access.TLS{Cert: access.File(junk), Key: access.File(junk)}},
		"key alone":       {URL: "rediss://h", TLS: access.TLS{Key: access.File(junk)}},
		"cluster's port":  {URL: "redis://u:hidden@h:1?addr=b:x:y:z"},
		"cluster's query": {URL: "redis://u:hidden@h:1?addr=b:2&nonsense=1"},
	} {
		_, err := Open(t.Context(), c)
		require.ErrorIs(t, err, job.ErrInvalid, name)
		require.NotContains(t, err.Error(), "hidden", name)
	}
}

// TLS works with a certificate of our own, on both sides.
func TestTLS(t *testing.T) {
	cert, key := selfSigned(t)
	s := redistest.Reserve(t, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
	if s == nil {
		return
	}
	_, port, err := net.SplitHostPort(s.Addr)
	require.NoError(t, err)
	s.Add("--port", "0", "--tls-port", port)
	s.Restart()
	url := "rediss://" + s.Addr
	_, err = Open(t.Context(), Config{URL: access.URL(url), TLS: access.TLS{Cert: access.File(cert), Key: access.File(key)}})
	require.ErrorContains(t, err, "certificate")
	for _, tls := range []access.TLS{{CA: access.File(cert), Cert: access.File(cert), Key: access.File(key)}, {Insecure: true, Cert: access.File(cert), Key: access.File(key)}} {
		l, err := Open(t.Context(), Config{URL: access.URL(url), TLS: tls})
		require.NoError(t, err)
		require.NoError(t, l.control.Ping(t.Context()).Err())
		require.NoError(t, l.Close())
	}
}

// selfSigned writes a certificate for the loopback interface, and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	}
	return cert, key
}
