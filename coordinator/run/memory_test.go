package run_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dustin/go-humanize"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// wide is a job whose layer needs somewhat more memory than line.
func wide(id string) string {
	return fmt.Sprintf(`{"id":%q,"name":"wide","data":{"inline":{"x":[1,2,3,4,5],"y":[2,4,5,6,8]}},
		"model":{"layers":[{"dense":{"units":20000}},{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.00001}},"batch":5,"steps":3}`, id)
}

// A job that no worker can hold waits and says what it needs. It takes nothing from other
// jobs and goes on when a worker has the memory.
func TestAJobThatNoWorkerCanHoldWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.memory.Store(20e6)
	var early atomic.Int64
	w.working = func(t job.Task) error {
		if t.Job == "big" && w.memory.Load() < 100e6 {
			early.Add(1)
		}
		return nil
	}
	goOn := w.halt(0)
	s := w.service("test")
	w.run(s, 4)
	w.submit(wide("big"))
	w.until("the job to wait", func() bool {
		return w.records["big"].Message == fmt.Sprintf("waiting: the job needs %s of memory in a worker; the one worker present has 20 MB for tasks",
			humanize.Bytes(uint64(w.records["big"].Need)))
	})
	require.Greater(t, w.records["big"].Need, int64(20e6))
	w.reported("what it waits for", func(e notice.Event) bool { return e.Type == notice.WaitingEvent && e.Job == "big" })
	require.Zero(t, s.Slots("big"))

	w.submit(line("small", 20))
	w.until("the small job to have all slots", func() bool { return w.records["small"].State == job.Running && s.Slots("small") == 4 })
	goOn()
	require.Equal(t, job.Succeeded, w.ended("small").State)
	require.Equal(t, job.Running, w.records["big"].State)
	require.Zero(t, early.Load(), "nobody was asked to compute it")

	w.memory.Store(200e6)
	r := w.ended("big")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Empty(t, r.Message)
}

// Jobs share the slots of the workers that can hold them.
func TestSharesOfWorkersThatCanHoldTheJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.service("test")
	w.run(s, 0)
	for id, need := range map[job.ID]int64{"small": 1, "large": 50, "huge": 500} {
		w.change(func() {
			w.records[id] = job.Record{ID: id, Run: "r", State: job.Running, Numerics: "n", Need: need}
			w.revisions[id] = 1
			w.leases[string(id)] = make(chan struct{}) // another coordinator drives it
		})
	}
	shares := func(small, large, huge int) {
		t.Helper()
		w.until("the shares", func() bool {
			return s.Slots("small") == small && s.Slots("large") == large && s.Slots("huge") == huge
		})
	}
	s.Beat(notice.Beat{Worker: "a", Numerics: "n", Slots: 6, Memory: 10})
	shares(6, 0, 0)
	s.Beat(notice.Beat{Worker: "b", Numerics: "n", Slots: 2, Memory: 100})
	shares(6, 2, 0)
	s.Beat(notice.Beat{Worker: "a", Numerics: "n", Leaving: true})
	shares(1, 1, 0)
	s.Beat(notice.Beat{Worker: "old", Numerics: "n", Slots: 1})
	shares(1, 1, 1)
}

// A job whose end needs more memory than the coordinator has is refused at the start.
func TestAJobThatTheCoordinatorCannotHoldFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config("test")
	cfg.Memory = 8.8e6
	s := run.New(cfg)
	w.run(s, 1)
	w.submit(wide("big"))
	r := w.ended("big")
	require.Equal(t, job.Failed, r.State)
	require.Equal(t, "model: to make a model of 60,001 parameters, the coordinator needs 8.9 MB of memory, and it has 8.8 MB; "+
		"give it more memory, or the model fewer parameters", r.Error)
	// Jobs that fit end one after the other.
	for i := range 4 {
		w.submit(line(fmt.Sprint("small", i), 3))
	}
	for i := range 4 {
		require.Equal(t, job.Succeeded, w.ended(job.ID(fmt.Sprint("small", i))).State)
	}
}

// A job that waits for the coordinator's memory, which another job uses, says so.
func TestAJobThatWaitsForTheCoordinatorsMemorySaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storing, goOn := make(chan job.ID, 2), make(chan struct{})
	cfg := w.config("test")
	cfg.Memory = 10e6 // enough for one job
	cfg.Keep = func(id job.ID, _ map[string][]byte) (string, error) {
		storing <- id
		<-goOn
		return "", nil
	}
	w.run(run.New(cfg), 1)
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release)
	w.submit(wide("a"))
	w.submit(wide("b"))
	first := <-storing
	w.reported("that the other waits", func(e notice.Event) bool {
		return waitingFor(e) && e.Job != first && strings.Contains(e.Message, "8.9 MB of memory in the coordinator")
	})
	release()
	for _, id := range []job.ID{"a", "b"} {
		r := w.ended(id)
		require.Equal(t, job.Succeeded, r.State, r.Error)
		require.Empty(t, r.Message)
	}
}

// The coordinator reads no more of a file of initial weights than the model can have.
func TestInitialWeightsAreReadUpToTheModelsSize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "w.safetensors"), nil, 0o600))
	require.NoError(t, os.Truncate(filepath.Join(dir, "w.safetensors"), 8<<30)) // a sparse file
	w := newWorld(t)
	cfg := w.config("test")
	cfg.Sources = &ingest.Roots{Folders: []string{dir}}
	w.run(run.New(cfg), 1)
	w.submit(strings.Replace(line("a", 3), `"model":{`, fmt.Sprintf(`"model":{"init":{"from":%q},`, filepath.Join(dir, "w.safetensors")), 1))
	r := w.ended("a")
	require.Equal(t, job.Failed, r.State)
	require.Contains(t, r.Error, "model.init.from: ")
	require.Contains(t, r.Error, "the file has 8589934592 bytes; the model's 2 parameters take 8")
}
