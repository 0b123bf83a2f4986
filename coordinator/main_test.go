package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/settings/settingstest"
)

// The test binary acts as the coordinator if it is started as one.
func TestMain(m *testing.M) {
	if settingstest.Started() {
		main()
		return
	}
	os.Exit(m.Run()) //nolint:forbidigo // this is a main function
}

// Invalid settings end each command at once, and the message shows no secret.
func TestSettingsThatCannotWork(t *testing.T) {
	job := filepath.Join(t.TempDir(), "job.json")
	require.NoError(t, os.WriteFile(job, []byte(`{"name":"line","data":{"inline":{"x":[1,2],"y":[1,2]}},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":2,"steps":1}`), 0o600))
	all := append(settingstest.Connections(), settingstest.Servers()...)
	settingstest.Refuses(t, all, "serve", "--http", "127.0.0.1:0")
	settingstest.Refuses(t, all, "verify", "a-job")
	settingstest.Refuses(t, settingstest.Connections(), "plan", job, "--budget", "10ms")
	settingstest.Refuses(t, settingstest.Connections(), "train", job, "--nats", "nats://127.0.0.1:1")
	for _, f := range settingstest.Servers() {
		settingstest.Refuses(t, []settingstest.Fault{f}, "train", job, "--redis", "redis://127.0.0.1:1")
	}
	for _, f := range settingstest.Servers() { // follow has no blobs
		if !strings.Contains(strings.Join(append(f.Args, f.Environment...), " "), "s3://") {
			settingstest.Refuses(t, []settingstest.Fault{f}, "follow", "a-job")
			settingstest.Refuses(t, []settingstest.Fault{f}, "train", job, "--detach")
		}
	}
	mark := settingstest.Mark
	for _, at := range []string{"me:" + mark + "@127.0.0.1:0", "http://me:" + mark + "@127.0.0.1:0"} {
		settingstest.Refuses(t, []settingstest.Fault{{Environment: []string{"TRIBUTARY_HTTP=" + at}, Want: "want HOST:PORT"}}, "serve")
	}
	settingstest.Refuses(t, []settingstest.Fault{{Args: []string{"http://me:%zz" + mark + "@127.0.0.1:1"}, Want: "address"}}, "healthcheck")
	settingstest.Refuses(t, []settingstest.Fault{{Args: []string{"http://me:" + mark + "@h"}, Want: "unexpected argument"}}, "schema")
	settingstest.Refuses(t, []settingstest.Fault{{Args: []string{"--redis-password", mark}, Want: "unknown flag"}}, "predict", t.TempDir())
}

// A variable that is set to "" counts as not set.
func TestEmptyVariables(t *testing.T) {
	code, wrote := settingstest.Start(t, []string{"TRIBUTARY_KEEP_JOBS=", "TRIBUTARY_MEMORY=", "TRIBUTARY_REMOVE_MODELS=", "REDIS_INSECURE=", "TRIBUTARY_SHARE=", "TRIBUTARY_LOG_FORMAT="},
		"serve", "--http", "127.0.0.1:0", "--nats", "nats://a/b")
	require.NotZero(t, code)
	require.Contains(t, wrote, "more than a host and a port", "only what is set wrongly is refused")
	require.NotContains(t, wrote, "TRIBUTARY_")
}
