package programs

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Older builds a worker of an older version from the repository's history and returns its
// path. A checkout without that commit (a shallow clone, an archive) has no old versions.
// Then Older builds the worker of this tree, which does not know what a test registers
// either, and logs that.
func Older(t testing.TB, commit string) string {
	t.Helper()
	dir := t.TempDir()
	run := func(in, name string, args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir, c.Env = in, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%v: %s", c.Args, out)
	}
	root, err := filepath.Abs(Root)
	require.NoError(t, err)
	path := filepath.Join(dir, "worker-"+commit)
	if out, err := exec.CommandContext(t.Context(), "git", "-C", root, "cat-file", "-e", commit+"^{commit}").CombinedOutput(); err != nil {
		t.Logf("THE OLD VERSION IS NOT TESTED: this checkout has no commit %s (%v %s); the worker of this tree is taken in its place. Get it by: git fetch --unshallow", commit, err, out)
		run(root, "go", "build", "-o", path, "./worker")
		return path
	}
	run(dir, "git", "-C", root, "archive", "--format=tar", "--output="+filepath.Join(dir, "tree.tar"), commit)
	run(dir, "tar", "-xf", "tree.tar")
	run(dir, "go", "build", "-o", path, "./worker")
	return path
}

// Worker starts a worker of one slot from a program at a path, and waits until it is ready.
func Worker(t testing.TB, path, nats, redis string) Member {
	t.Helper()
	m := MemberAt(fmt.Sprintf("127.0.0.1:%d", free(t)))
	start(t, exec.CommandContext(context.WithoutCancel(t.Context()), path,
		"--nats", nats, "--redis", redis, "--http", m.http, "--slots", "1", "--log-level", "warn"))
	m.ready(t)
	return m
}

// MemberAt returns a Member for a worker that is already running, by the address of its
// metrics.
func MemberAt(http string) Member { return Member{http: http} }

var attempts = regexp.MustCompile(`(?m)^tributary_worker_tasks_total\{kind="[a-z]+",outcome="([a-z ]+)"\} (\d+)$`)

// Attempts returns the number of the worker's attempts at tasks, by outcome. It fails the
// test if the worker is not ready.
func (m Member) Attempts(t testing.TB) map[string]int {
	t.Helper()
	status, _ := m.get(t, "/readyz")
	require.Equal(t, http.StatusOK, status, "the worker is not well")
	_, text := m.get(t, "/metrics")
	count := map[string]int{}
	for _, found := range attempts.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(found[2])
		require.NoError(t, err)
		count[found[1]] += n
	}
	return count
}

// Address returns an address on the loopback that nothing listens on.
func Address(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", free(t))
}

// Address returns the address where the worker answers over HTTP.
func (m Member) Address() string { return m.http }
