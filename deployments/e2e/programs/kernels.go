package programs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/numeric/isa"
)

// Kernels is one way to run the programs' arithmetic: an instruction set, on this CPU or
// emulated.
type Kernels struct {
	Set      isa.Set
	emulated bool // on an emulated ARM
}

// AllKernels returns the kernels that this machine can run: every instruction set of its
// CPU, portable Go, and NEON on an emulated ARM.
func AllKernels() []Kernels {
	var all []Kernels
	for _, s := range isa.Available() {
		all = append(all, Kernels{Set: s})
	}
	return append(all, Kernels{Set: isa.NEON, emulated: true})
}

// String names the kernels in a test's log.
func (k Kernels) String() string { return string(k.Set) }

// emulated builds both programs for arm64 when they are first needed.
var emulated = sync.OnceValues(func() (string, error) {
	dir, err := build()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "arm64")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return dir, compile(dir, "arm64", "./coordinator", "./worker")
})

// command returns the command that runs a program with k.
func (k Kernels) command(ctx context.Context, t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(ctx, path(t, name), args...)
	if k.emulated {
		dir, err := emulated()
		require.NoError(t, err)
		c = exec.CommandContext(ctx, "qemu-aarch64", append([]string{filepath.Join(dir, name)}, args...)...)
	}
	c.Env = append(os.Environ(), isa.Variable+"="+string(k.Set))
	return c
}

// Train runs the train command with k on a spec and returns its outcome.
func (k Kernels) Train(ctx context.Context, t testing.TB, spec string, args ...string) job.Outcome {
	t.Helper()
	return outcome(t, k.command(ctx, t, "coordinator", append([]string{"train", spec, "--out", t.TempDir()}, args...)...))
}

// A Member is a worker of one slot that computes with given kernels.
type Member struct {
	Kernels
	http string
}

// Member starts a worker that computes with k, and waits until it is ready.
func (s *Servers) Member(t testing.TB, k Kernels) Member {
	t.Helper()
	m := Member{k, fmt.Sprintf("127.0.0.1:%d", free(t))}
	args := append(s.flags(), "--slots", "1", "--http", m.http)
	start(t, k.command(context.WithoutCancel(t.Context()), t, "worker", args...))
	m.ready(t)
	return m
}

// ready waits until the worker is ready.
func (m Member) ready(t testing.TB) {
	t.Helper()
	for {
		if status, _ := m.get(t, "/readyz"); status == http.StatusOK {
			return
		}
		select {
		case <-t.Context().Done():
			require.Fail(t, "the worker does not get ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var (
	tasksDone = regexp.MustCompile(`(?m)^tributary_worker_tasks_total\{kind="gradient",outcome="ok"\} (\d+)$`)
	kernels   = regexp.MustCompile(`(?m)^tributary_build_info\{.*kernels="(\w+)"`)
)

// Tasks returns how many gradient tasks the worker has done, and with which kernels.
func (m Member) Tasks(t testing.TB) (tasks int, set isa.Set) {
	t.Helper()
	status, text := m.get(t, "/metrics")
	require.Equal(t, http.StatusOK, status)
	if done := tasksDone.FindStringSubmatch(text); done != nil {
		n, err := strconv.Atoi(done[1])
		require.NoError(t, err)
		tasks = n
	}
	named := kernels.FindStringSubmatch(text)
	require.NotNil(t, named, text)
	return tasks, isa.Set(named[1])
}

// get sends an HTTP request to the worker. The status is 0 while nothing listens.
func (m Member) get(t testing.TB, path string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+m.http+path, nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(body)
}
