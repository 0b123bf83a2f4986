package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/settings/settingstest"
)

// The test binary runs as the worker when it is started as one.
func TestMain(m *testing.M) {
	if settingstest.Started() {
		main()
		return
	}
	os.Exit(m.Run()) //nolint:forbidigo // this is a main
}

// Settings that can never work end the worker at once, and the error shows no secret.
func TestSettingsThatCannotWork(t *testing.T) {
	settingstest.Refuses(t, append(settingstest.Connections(), settingstest.Servers()...), "serve", "--http", "127.0.0.1:0")
	settingstest.Refuses(t, []settingstest.Fault{{Args: []string{"http://me:%zz" + settingstest.Mark + "@127.0.0.1:1"}, Want: "address"}}, "healthcheck")
}

// A variable that is set but empty counts as not set.
func TestEmptyVariables(t *testing.T) {
	code, wrote := settingstest.Start(t, []string{"TRIBUTARY_SLOTS=", "TRIBUTARY_BLOCK_CACHE=", "NATS_URL=", "REDIS_URL=", "TRIBUTARY_BLOBS=", "TRIBUTARY_LOG_LEVEL="},
		"serve", "--http", "127.0.0.1:0", "--nats", "nats://a/b")
	require.NotZero(t, code)
	require.Contains(t, wrote, "more than a host and a port", "only what is set wrongly is refused")
	require.NotContains(t, wrote, "TRIBUTARY_")
}
