// Package settingstest starts a program with settings that cannot work, and checks
// everything that it writes.
//
// It owns the processes and the marked secrets. What a command does with good settings it
// leaves to other tests. The tests of both programs call it, each for its own commands.
//
// Invariant: no process is left when a test ends.
package settingstest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Mark is part of every secret.
const Mark = "Mark3dS3cret"

// variable is the environment variable that makes the test binary run as the program
// under test.
const variable = "TRIBUTARY_TEST_MAIN"

// Started reports whether this process must run as the program.
func Started() bool { return os.Getenv(variable) != "" }

// patience is the timeout for a program that must end at once.
const patience = time.Minute

// Start runs the program with arguments and additional environment variables until it
// ends. It returns its exit code and what it wrote to standard output and standard error.
func Start(t *testing.T, environment []string, args ...string) (code int, wrote string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append([]string{variable + "=1", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}, environment...)
	text, err := c.CombinedOutput()
	require.NoError(t, ctx.Err(), "%v does not end: %s", args, text)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), string(text)
	}
	require.NoError(t, err)
	return 0, string(text)
}

// Fault is a set of settings that can never work. MARK in it stands for the secret.
type Fault struct {
	Environment, Args []string
	Want              string // a part of the message
}

// Connections returns faults of the settings for NATS, Redis and blobs, as arguments and
// as variables.
func Connections() []Fault {
	faults := []Fault{
		{Args: []string{"--redis", "redis://:a#MARK@127.0.0.1:1"}, Want: "%23"},
		{Args: []string{"--redis", "redis://:a/MARK@127.0.0.1:1"}, Want: "%2F"},
		{Args: []string{"--redis", "redis://:1?MARK@127.0.0.1:1"}, Want: "%3F"},
		{Args: []string{"--redis", "redis://:%zzMARK@127.0.0.1:1"}, Want: "%25"},
		{Args: []string{"--redis", "http://:MARK@127.0.0.1:1"}, Want: "http"},
		{Args: []string{"--redis", "rediss://:MARK@127.0.0.1:1", "--redis-ca=-----BEGIN CERTIFICATE-----\nMARK"}, Want: "want the path of a file"},
		{Args: []string{"--redis-password", "-MARK"}, Want: "--redis-password=VALUE"},
		{Args: []string{"--redis", "rediss://:MARK@127.0.0.1:1", "--redis-cert", "/none/MARK.pem"}, Want: "cert and key go together"},
		{Environment: []string{"REDIS_PASSWORD=MARK"}, Args: []string{"--redis", "redis://127.0.0.1:1", "--redis-insecure"}, Want: "rediss://"},
		{Args: []string{"--redis-password", "two MARK", "MARK"}, Want: "unexpected argument"},
		{Args: []string{"--redis-pasword=MARK"}, Want: "unknown flag"},
	}
	for i, f := range faults {
		faults[i] = f.marked()
	}
	return faults
}

// Servers returns faults of the additional settings of commands that use NATS.
func Servers() []Fault {
	faults := []Fault{
		{Args: []string{"--nats", "nats://me:S/MARK@127.0.0.1:1"}, Want: "%2F"},
		{Args: []string{"--nats", "nats://me:%zzMARK@127.0.0.1:1"}, Want: "%25"},
		{Args: []string{"--nats", "nats://me:1#MARK@127.0.0.1:1"}, Want: "%23"},
		{Args: []string{"--nats", "nats://me:1?MARK@127.0.0.1:1"}, Want: "%3F"},
		{Args: []string{"--nats", "nats://me:1,MARK@127.0.0.1:1"}, Want: "%2C"},
		{Args: []string{"--nats", "redis://me:MARK@127.0.0.1:1"}, Want: `scheme "redis"`},
		{Args: []string{"--nats", "nats://127.0.0.1:1", "--nats-token", "MARK", "--nats-user", "me"}, Want: "at most one of them"},
		{Args: []string{"--nats", "nats://127.0.0.1:1", "--nats-creds=-----BEGIN NATS USER JWT-----\nMARK"}, Want: "want the path of a file"},
		{Args: []string{"--nats", "nats://127.0.0.1:1"}, Environment: []string{"NATS_NKEY=SUMARK"}, Want: "want the path of a file"},
		{Args: []string{"--nats", "nats://127.0.0.1:1", "--nats-key", "MARK"}, Want: "cert and key go together"},
		{Args: []string{"--nats", "nats://127.0.0.1:1", "--blobs", "s3://key:MARK@bucket"}, Want: "AWS_SECRET_ACCESS_KEY"},
		{Args: []string{"--nats", "nats://127.0.0.1:1"}, Environment: []string{"TRIBUTARY_BLOBS=s3://bucket?key=MARK"}, Want: "is unknown"},
	}
	for i, f := range faults {
		faults[i] = f.marked()
	}
	return faults
}

func (f Fault) marked() Fault {
	mark := func(list []string) []string {
		out := make([]string, len(list))
		for i, text := range list {
			out[i] = strings.ReplaceAll(text, "MARK", Mark)
		}
		return out
	}
	return Fault{mark(f.Environment), mark(f.Args), f.Want}
}

// Refuses checks that the program ends at once for each fault, that it gives the reason,
// and that it shows no secret.
func Refuses(t *testing.T, faults []Fault, command ...string) {
	t.Helper()
	for _, f := range faults {
		t.Run(strings.Join(append(append(command, f.Environment...), f.Args...), " "), func(t *testing.T) {
			t.Parallel()
			code, wrote := Start(t, f.Environment, append(command, f.Args...)...)
			require.NotZero(t, code, wrote)
			require.NotContains(t, wrote, Mark)
			require.Contains(t, wrote, f.Want)
		})
	}
}
