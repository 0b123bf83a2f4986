package settings_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/access"
	"tributary/shared/blob"
	"tributary/shared/broker"
	"tributary/shared/broker/embedded"
	"tributary/shared/job"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/notice"
	"tributary/shared/settings"
	"tributary/shared/telemetry"
)

// A goroutine that an object store's Put starts may not notice its end; then it stays,
// see shared/broker.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}

// command has the settings that both programs have.
type command struct {
	Log    settings.Log    `embed:""`
	Stores settings.Stores `embed:""`
}

func parse(t *testing.T, args ...string) (command, error) {
	t.Helper()
	var c command
	k, err := kong.New(&c, kong.Exit(func(int) {}), kong.Writers(&bytes.Buffer{}, &bytes.Buffer{}))
	require.NoError(t, err)
	_, err = k.Parse(args)
	return c, err
}

func TestDefaultsFlagsAndEnvironment(t *testing.T) {
	for _, name := range []string{"NATS_URL", "REDIS_URL", "TRIBUTARY_BLOBS", "TRIBUTARY_LOG_LEVEL", "TRIBUTARY_LOG_FORMAT"} {
		t.Setenv(name, "") // restored at the end
		require.NoError(t, os.Unsetenv(name))
	}
	c, err := parse(t)
	require.NoError(t, err)
	require.Equal(t, "nats", c.Stores.Blobs.Reveal())
	require.Equal(t, "redis://127.0.0.1:6379/0", c.Stores.Redis.URL.Reveal())
	require.Equal(t, settings.Log{Level: "info", Format: "auto"}, c.Log)

	t.Setenv("REDIS_URL", "redis://from-environment")
	t.Setenv("REDIS_PASSWORD", "secret")
	t.Setenv("NATS_URL", "nats://from-environment")
	c, err = parse(t, "--nats", "nats://from-flag")
	require.NoError(t, err)
	require.Equal(t, "redis://from-environment", c.Stores.Redis.URL.Reveal())
	require.Equal(t, "secret", c.Stores.Redis.Password.Reveal())
	require.Equal(t, "nats://from-flag", c.Stores.NATS.URL.Reveal(), "a flag is nearer than the environment")

	_, err = parse(t, "--log-level", "loud")
	require.ErrorContains(t, err, `--log-level must be one of "trace","debug","info","warn","error","disabled"`)
}

func TestLogs(t *testing.T) {
	var out bytes.Buffer
	log, err := settings.Log{Level: "warn", Format: "auto"}.LoggerTo(&out, false, "worker")
	require.NoError(t, err)
	log.Info().Msg("not severe enough")
	log.Warn().Msg("hot")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), out.String())
	require.Equal(t, "worker", line["program"])
	require.Equal(t, "hot", line["message"])

	_, err = settings.Log{Level: "loud"}.LoggerTo(&out, false, "worker")
	require.Error(t, err)
}

func TestIDsAreUnique(t *testing.T) {
	a, b := settings.NewID(), settings.NewID()
	require.NotEqual(t, a, b)
	require.False(t, strings.ContainsAny(a, " \n"))
}

func servers(t *testing.T) settings.Stores {
	t.Helper()
	s, err := embedded.Start(embedded.Config{Log: zerolog.Nop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return settings.Stores{NATS: broker.Config{InProcess: s}, Redis: settings.Redis{URL: access.URL(redistest.Mini(t))}, Blobs: "nats"}
}

func TestOpenConnectsToEverything(t *testing.T) {
	s := servers(t)
	var ready settings.Ready
	checks := func() []telemetry.Check {
		return slices.DeleteFunc(append(ready.Coordinator(), ready.Worker()...), func(c telemetry.Check) bool { return c.Name == "temp" })
	}
	for _, c := range checks() {
		require.ErrorContains(t, c.Ask(t.Context()), "connecting", c.Name)
	}
	o, err := s.Open(t.Context(), "test", zerolog.Nop())
	require.NoError(t, err)
	ready.Set(o)
	for _, c := range checks() {
		require.NoError(t, c.Ask(t.Context()), c.Name)
	}
	digest, err := o.Blobs.Put(t.Context(), []byte("rows"))
	require.NoError(t, err)
	require.Equal(t, blob.DigestOf([]byte("rows")), digest)
	require.NoError(t, o.Queue().Publish(t.Context(), job.Task{Ref: job.Ref{Job: "j", Run: "r"}, Kind: job.Gradient, Numerics: "n", Node: 1}))
	events := o.Conn.Events()
	require.NoError(t, events.Publish(notice.Event{Job: "j", Type: notice.NoteEvent}))
	settings.CloseEvents(events, zerolog.Nop())
	require.Zero(t, events.Dropped())

	o.Close()
	for _, c := range checks() {
		require.Error(t, c.Ask(t.Context()), c.Name)
	}
}

func TestBlobsInASharedFolder(t *testing.T) {
	s := servers(t)
	dir := filepath.Join(t.TempDir(), "blobs")
	s.Blobs = access.Address("dir:" + dir)
	o, err := s.Open(t.Context(), "test", zerolog.Nop())
	require.NoError(t, err)
	defer o.Close()
	digest, err := o.Blobs.Put(t.Context(), []byte("rows"))
	require.NoError(t, err)
	other, err := blob.NewDirectory(dir)
	require.NoError(t, err)
	data, err := other.Get(t.Context(), digest)
	require.NoError(t, err)
	require.Equal(t, "rows", string(data))
}

func TestSettingsThatCannotBeMeant(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key") // otherwise the SDK asks the machine for its role's credentials
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	s := servers(t)
	for name, c := range map[string]struct {
		change func(*settings.Stores)
		want   string
	}{
		"blobs":                {func(s *settings.Stores) { s.Blobs = "ftp:bucket" }, `"ftp:bucket": want nats, dir:PATH or s3://BUCKET`},
		"blobs in no bucket":   {func(s *settings.Stores) { s.Blobs = "s3:bucket" }, `"s3:bucket": no bucket, or more than a bucket, is named: want s3://BUCKET`},
		"a bucket unreachable": {func(s *settings.Stores) { s.Blobs = "s3://bucket?region=x&endpoint=http://127.0.0.1:1" }, "check for bucket bucket: "},
		"blobs in no dir":      {func(s *settings.Stores) { s.Blobs = "dir:" }, `"dir:": want nats, dir:PATH or s3://BUCKET`},
		"redis scheme":         {func(s *settings.Stores) { s.Redis.URL = "http://127.0.0.1" }, "redis"},
		"redis key alone":      {func(s *settings.Stores) { s.Redis.Key = "k.pem" }, ""},
		"nats creds":           {func(s *settings.Stores) { s.NATS.Credentials = "/no/such/file" }, "/no/such/file"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := s
			c.change(&broken)
			o, err := broken.Open(t.Context(), "test", zerolog.Nop())
			require.ErrorContains(t, err, c.want)
			require.Nil(t, o)
		})
	}
}

// Open waits for servers that are not up, until the program stops.
func TestOpenWaitsAndCanBeStopped(t *testing.T) {
	s := servers(t)
	for name, change := range map[string]func(*settings.Stores){
		"nats":  func(s *settings.Stores) { s.NATS = broker.Config{URL: "nats://127.0.0.1:1"} },
		"redis": func(s *settings.Stores) { s.Redis.URL = "redis://127.0.0.1:1" },
	} {
		t.Run(name, func(t *testing.T) {
			away := s
			change(&away)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			log := &listener{word: "127.0.0.1:1\"", cancel: cancel}
			o, err := away.Open(ctx, "test", zerolog.New(log))
			require.ErrorIs(t, err, context.Canceled, "it says what it waits for")
			require.Nil(t, o)
		})
	}
}

// listener calls cancel when a log line contains the word.
type listener struct {
	word   string
	cancel context.CancelFunc
}

func (l *listener) Write(line []byte) (int, error) {
	if strings.Contains(string(line), l.word) {
		l.cancel()
	}
	return len(line), nil
}
