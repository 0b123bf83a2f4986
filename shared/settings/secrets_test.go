package settings_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/settings"
)

// mark is part of every secret of these tests.
const mark = "Mark3dS3cret"

// stoppingLog is a log that calls stop when a line contains one of the words.
type stoppingLog struct {
	mu    sync.Mutex
	text  bytes.Buffer
	words []string
	stop  context.CancelFunc
}

func (h *stoppingLog) Write(line []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.words {
		if strings.Contains(string(line), w) {
			h.stop()
		}
	}
	return h.text.Write(line)
}

// openOutput opens the stores until that fails or waits, and returns everything that a
// person can see.
func openOutput(t *testing.T, s settings.Stores, waits bool) (seen string, opened *settings.Opened, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := &stoppingLog{stop: cancel}
	if waits {
		log.words = []string{"cannot be reached", "waiting for redis"}
	}
	o, err := s.Open(ctx, "test", zerolog.New(log))
	text := log.text.String()
	if err != nil {
		text += err.Error() + job.Sentence(err) + fmt.Sprintf("%+v %#v %q", err, err.Error(), err)
	}
	printed, jsonErr := json.Marshal(map[string]any{"nats": s.NATS.Login, "url": s.NATS.URL, "redis": s.Redis})
	require.NoError(t, jsonErr)
	text += string(printed) + fmt.Sprintf("%v %+v %#v", s, s, s)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		require.Fail(t, "neither refused nor waited for", text)
	}
	return text, o, err
}

// written writes a file for the test.
func written(t *testing.T, content string) access.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return access.File(path)
}

// seed returns the seed of a new user.
func seed(t *testing.T) string {
	t.Helper()
	user, err := nkeys.CreateUser()
	require.NoError(t, err)
	s, err := user.Seed()
	require.NoError(t, err)
	return string(s)
}

// Each setting holds a marked secret and meets every failure: nothing that a person sees
// contains the secret. A setting that can never work ends with job.ErrInvalid and says
// what to do. For a server that is down, the program waits.
func TestNothingShowsASecret(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", mark+"-id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", mark)
	t.Setenv("AWS_SESSION_TOKEN", mark)
	good := servers(t)
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.sign("server", time.Hour)
	locked := natsWith(t, natsserver.Options{Username: "me", Password: "other"})
	secured := natsWith(t, natsserver.Options{TLSConfig: serving(t, cert, key)})
	oldCert, oldKey := ours.sign("expired", -time.Hour)
	expired := natsWith(t, natsserver.Options{TLSConfig: serving(t, oldCert, oldKey)})
	both := serving(t, cert, key)
	both.ClientAuth, both.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	both.ClientCAs.AddCert(ours.cert)
	mutual := natsWith(t, natsserver.Options{TLSConfig: both, TLSVerify: true})
	theirCert, theirKey := theirs.sign("client", time.Hour)
	plain := natsWith(t, natsserver.Options{})
	aSeed := seed(t)
	forbidding := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>")
	}))
	t.Cleanup(forbidding.Close)

	type change = func(*settings.Stores)
	const away = "127.0.0.1:1"
	natsURL := func(format, at string) change {
		return func(s *settings.Stores) { s.NATS = broker.Config{URL: access.URL(fmt.Sprintf(format, mark, at))} }
	}
	login := func(at string, l broker.Login) change {
		return func(s *settings.Stores) { s.NATS = broker.Config{URL: access.URL(at), Login: l} }
	}
	redis := func(format, at string) change {
		return func(s *settings.Stores) { s.Redis.URL = access.URL(fmt.Sprintf(format, mark, at)) }
	}
	blobs := func(format string) change {
		return func(s *settings.Stores) { s.Blobs = access.Address(strings.ReplaceAll(format, "MARK", mark)) }
	}
	type fault struct {
		name   string
		change change
		want   string // in the error, if the setting is refused; "": the program waits
	}
	faults := []fault{
		{"nats password, refused", natsURL("nats://me:%s@%s", locked), "does not accept these credentials"},
		{"nats token, refused", natsURL("nats://%s@%s", locked), "does not accept these credentials"},
		{"nats password setting, refused", login("nats://"+locked, broker.Login{User: "me", Password: mark}), "does not accept these credentials"},
		{"nats token setting, refused", login("nats://"+locked, broker.Login{Token: mark}), "does not accept these credentials"},
		{"nats password, away", natsURL("nats://me:%s@%s", away), ""},
		{"nats token, away", natsURL("nats://%s@%s", away), ""},
		{"nats list, away", natsURL("nats://me:%s@%s,nats://127.0.0.1:2", away), ""},
		{"nats name, away", natsURL("nats://me:%s@%s", "no-such-host.invalid:4222"), ""},
		{"nats raw /", natsURL("nats://me:a/%s@%s", away), "%2F"},
		{"nats raw #", natsURL("nats://me:1#%s@%s", away), "%23"},
		{"nats raw ?", natsURL("nats://me:1?%s@%s", away), "%3F"},
		{"nats bad %", natsURL("nats://me:%%zz%s@%s", away), "%25"},
		{"nats raw comma", natsURL("nats://me:1,%s@%s", away), "%2C"},
		{"nats space", natsURL("nats://me:a %s@%s", away), "space"},
		{"nats line break", natsURL("nats://me:%s\n@%s", away), "line break"},
		{"nats scheme", natsURL("https://me:%s@%s", away), `scheme "https"`},
		{"nats path", natsURL("nats://me:%s@%s/path", away), "more than a host and a port"},
		{"nats unknown authority", natsURL("tls://me:%s@%s", secured), "does not trust the authority"},
		{"nats other authority", login("tls://me:"+mark+"@"+secured, broker.Login{TLSCA: theirs.File}), "does not trust the authority"},
		{"nats expired", login("tls://me:"+mark+"@"+expired, broker.Login{TLSCA: ours.File}), "has expired"},
		{"nats other name", login("tls://me:"+mark+"@"+strings.Replace(secured, "127.0.0.1", "localhost", 1), broker.Login{TLSCA: ours.File}), "for another name"},
		{"nats without TLS", natsURL("tls://me:%s@%s", plain), "does not use TLS"},
		{"nats wants a certificate", login("tls://me:"+mark+"@"+mutual, broker.Login{TLSCA: ours.File}), "certificate"},
		{"nats refuses the certificate", login("tls://me:"+mark+"@"+mutual, broker.Login{TLSCA: ours.File, TLSCert: theirCert, TLSKey: theirKey}), "certificate"},
		{"nats seed, away", login("nats://"+away, broker.Login{NKey: written(t, aSeed)}), ""},
		{"nats seed, refused", login("nats://"+locked, broker.Login{NKey: written(t, aSeed)}), "does not support NKeys"},
		{"nats seed in place of its file", login("nats://"+away, broker.Login{NKey: access.File(aSeed)}), "want the path of a file"},
		{"nats bad seed", login("nats://"+away, broker.Login{NKey: written(t, "SU"+mark)}), "nats nkey file"},
		{"nats bad credentials", login("nats://"+away, broker.Login{Credentials: written(t, mark)}), "no NKey seed of a user"},
		{"nats credentials in place of their file", login("nats://"+away, broker.Login{Credentials: "-----BEGIN NATS USER JWT-----\n" + mark}), "want the path of a file"},
		{"nats bad CA", login("nats://"+away, broker.Login{TLSCA: written(t, mark)}), "no certificate in PEM"},
		{"nats key in place of its file", login("nats://"+away, broker.Login{TLSCert: cert, TLSKey: "-----BEGIN PRIVATE KEY-----\n" + mark}), "want the path of a file"},
		{"nats bad key", login("nats://"+away, broker.Login{TLSCert: cert, TLSKey: written(t, "-----BEGIN PRIVATE KEY-----\n"+mark+"\n-----END PRIVATE KEY-----\n")}), "nats cert file"},
		{"nats key of another certificate", login("nats://"+away, broker.Login{TLSCert: cert, TLSKey: theirKey}), "nats cert file"},

		{"redis password, away", redis("redis://me:%s@%s/0", away), ""},
		{"redis name, away", redis("redis://me:%s@%s/0", "no-such-host.invalid:6379"), ""},
		{"redis raw #", redis("redis://:a#%s@%s/0", away), "%23"},
		{"redis raw # after digits", redis("redis://:1#%s@%s/0", away), "%23"},
		{"redis raw ?", redis("redis://:1?%s@%s/0", away), "%3F"},
		{"redis raw /", redis("redis://:1/%s@%s/0", away), "%2F"},
		{"redis bad %", redis("redis://:%%zz%s@%s/0", away), "%25"},
		{"redis scheme", redis("https://:%s@%s/0", away), `scheme "https"`},
		{"redis no scheme", redis("me:%s@%s/0", away), "no scheme"},
		{"redis option", redis("redis://:%s@%s/0?pasword=x", away), "unexpected option: pasword"},
		{"redis database", redis("redis://:%s@%s/zero", away), "invalid database"},
		{"redis CA without TLS", func(s *settings.Stores) { s.Redis.Password, s.Redis.CA = mark, ours.File }, "rediss://"},
		{"redis key in place of its file", func(s *settings.Stores) {
			s.Redis.URL, s.Redis.Cert, s.Redis.Key = "rediss://"+away, cert, "-----BEGIN PRIVATE KEY-----\n"+mark
		}, "want the path of a file"},
		{"redis is NATS", redis("redis://:%s@%s/0", plain), ""},

		{"s3 credentials in the address", blobs("s3://key:MARK@bucket"), "AWS_SECRET_ACCESS_KEY"},
		{"s3 raw /", blobs("s3://1:2/MARK@bucket"), "%2F"},
		{"s3 endpoint's credentials", blobs("s3://bucket?endpoint=https://key:MARK@127.0.0.1:1"), "cannot be read"},
		{"s3 endpoint's credentials, encoded", blobs("s3://bucket?endpoint=https://key:MARK%40127.0.0.1:1"), "AWS_SECRET_ACCESS_KEY"},
		{"s3 endpoint's bad %", blobs("s3://bucket?endpoint=https://key:%25zzMARK@127.0.0.1:1"), "%25"},
		{"s3 parameter", blobs("s3://bucket?secret=MARK"), `parameter "secret" is unknown`},
		{"s3 bad parameter", blobs("s3://bucket?endpoint=%zzMARK"), "cannot be read"},
		{"s3 away", blobs("s3://bucket?region=x&endpoint=http://" + away), "check for bucket bucket"},
		{"s3 refuses the signature", blobs("s3://bucket?region=x&endpoint=" + forbidding.URL), "check for bucket bucket"},
		{"blobs scheme", blobs("https://key:MARK@host/bucket"), "want nats, dir:PATH"},
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			s := good
			f.change(&s)
			seen, o, err := openOutput(t, s, f.want == "")
			require.Error(t, err)
			require.Nil(t, o)
			hidesSecrets(t, seen, aSeed)
			if f.want == "" {
				require.ErrorIs(t, err, context.Canceled, "it is waited for: %s", seen)
				return
			}
			require.NotErrorIs(t, err, context.Canceled, seen)
			require.ErrorContains(t, err, f.want)
		})
	}
}

func hidesSecrets(t *testing.T, seen string, more ...string) {
	t.Helper()
	for _, secret := range append(more, mark, url64(mark)) {
		require.NotContains(t, seen, secret)
	}
}

// url64 encodes the mark as in a URL's query.
func url64(s string) string { return strings.ReplaceAll(s, "3", "%33") }

// The same test on a real Redis: with TLS, with another scheme, and with a password that
// Redis refuses.
func TestRedisShowsNoSecret(t *testing.T) {
	good := servers(t)
	ours, theirs := newAuthority(t), newAuthority(t)
	cert, key := ours.sign("server", time.Hour)
	oldCert, oldKey := ours.sign("expired", -time.Hour)
	secured := redisWith(t, cert, key, ours.File, "--tls-auth-clients", "no")
	if secured == nil {
		return
	}
	expired := redisWith(t, oldCert, oldKey, ours.File, "--tls-auth-clients", "no")
	mutual := redisWith(t, cert, key, ours.File)
	locked := redistest.Start(t, "--requirepass", "other")
	renamed := redistest.Start(t, "--requirepass", "other", "--rename-command", "AUTH", "", "--rename-command", "HELLO", "")
	theirCert, theirKey := theirs.sign("client", time.Hour)
	url := func(scheme string, s *redistest.Server) access.URL {
		return access.URL(scheme + "://me:" + mark + "@" + s.Addr)
	}
	for name, f := range map[string]struct {
		redis settings.Redis
		want  string
	}{
		"wrong password":          {settings.Redis{URL: url("redis", locked)}, "user and password"},
		"wrong password setting":  {settings.Redis{URL: access.URL(locked.URL), RedisLogin: settings.RedisLogin{Password: mark}}, "user and password"},
		"no AUTH":                 {settings.Redis{URL: url("redis", renamed)}, ""},
		"redis to TLS":            {settings.Redis{URL: url("redis", secured)}, "use rediss://"},
		"rediss to plain":         {settings.Redis{URL: url("rediss", locked), RedisLogin: settings.RedisLogin{CA: ours.File}}, "use redis://"},
		"unknown authority":       {settings.Redis{URL: url("rediss", secured)}, "does not trust the authority"},
		"other authority":         {settings.Redis{URL: url("rediss", secured), RedisLogin: settings.RedisLogin{CA: theirs.File}}, "does not trust the authority"},
		"expired":                 {settings.Redis{URL: url("rediss", expired), RedisLogin: settings.RedisLogin{CA: ours.File}}, "has expired"},
		"wants a certificate":     {settings.Redis{URL: url("rediss", mutual), RedisLogin: settings.RedisLogin{CA: ours.File}}, "certificate"},
		"refuses the certificate": {settings.Redis{URL: url("rediss", mutual), RedisLogin: settings.RedisLogin{CA: ours.File, Cert: theirCert, Key: theirKey}}, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			s.Redis = f.redis
			seen, o, err := openOutput(t, s, f.want == "")
			require.Error(t, err)
			require.Nil(t, o)
			hidesSecrets(t, seen)
			if f.want == "" {
				return
			}
			require.ErrorIs(t, err, job.ErrInvalid, seen)
			require.ErrorContains(t, err, f.want)
		})
	}
}

// A running program shows no secret in its log, /readyz and /metrics either when the
// servers start to refuse it.
func TestSecretsOfARunningProgramStayHidden(t *testing.T) {
	s := servers(t)
	redis := redistest.Start(t, "--requirepass", mark)
	if redis == nil {
		return
	}
	nats := natsWith(t, natsserver.Options{Username: "me", Password: mark})
	s.NATS = broker.Config{URL: access.URL("nats://me:" + mark + "@" + nats)}
	s.Redis = settings.Redis{URL: access.URL("redis://:" + mark + "@" + redis.Addr)}
	log := &stoppingLog{stop: func() {}}
	o, err := s.Open(t.Context(), "test", zerolog.New(log))
	require.NoError(t, err)
	defer o.Close()
	var ready settings.Ready
	ready.Set(o)
	ask := probing(t, ready.Coordinator())
	becomes(t, ask)
	admin := goredis.NewClient(&goredis.Options{Addr: redis.Addr, Password: mark})
	t.Cleanup(func() { _ = admin.Close() })
	require.NoError(t, admin.ConfigSet(t.Context(), "requirepass", "another").Err())
	require.NoError(t, admin.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
	require.Eventually(t, func() bool {
		_, checks := ask()
		return strings.Contains(checks["redis"], "user and password")
	}, time.Minute, 50*time.Millisecond)
	_, checks := ask()
	hidesSecrets(t, fmt.Sprint(checks))
	o.Conn.Close()
	becomes(t, ask, "nats", "streams", "jobs", "leases", "redis", "blobs")
	_, checks = ask()
	metrics, err := prometheus.DefaultGatherer.Gather()
	require.NoError(t, err)
	hidesSecrets(t, log.text.String()+fmt.Sprint(checks, metrics))
}
