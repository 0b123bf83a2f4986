package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/api"
	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/coordinator/serve"
	"tributary/coordinator/train"
	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/broker/embedded"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
	"tributary/shared/settings"
	"tributary/shared/trial"
)

// site is servers with a worker, and the coordinators that a test starts.
type site struct {
	t    *testing.T
	nats string
	base settings.Stores
	conn *broker.Conn // a user's
}

func newSite(t *testing.T) *site {
	t.Helper()
	nats, err := embedded.Start(embedded.Config{Host: "127.0.0.1", Port: -1, Dir: t.TempDir(), Log: zerolog.Nop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, nats.Close()) })
	redis := miniredis.RunT(t)
	s := &site{t: t, nats: nats.URL(), base: settings.Stores{
		NATS: broker.Config{URL: access.URL(nats.URL())}, Redis: settings.Redis{URL: access.URL("redis://" + redis.Addr())}, Blobs: "nats",
	}}
	stores := s.open("user")
	t.Cleanup(stores.Close)
	s.conn = stores.Conn
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		if err := (&train.Command{Workers: 1, Slots: 2}).Work(ctx, stores, zerolog.Nop()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); working.Wait() })
	return s
}

func (s *site) open(name string) *settings.Opened {
	s.t.Helper()
	stores, err := s.base.Open(s.t.Context(), name, zerolog.Nop())
	require.NoError(s.t, err)
	return stores
}

// coordinate starts a coordinator. kill closes its connections while it works, as the death of
// its process does.
func (s *site) coordinate(name string) (kill func()) {
	s.t.Helper()
	stores := s.open(name)
	events := stores.Conn.Events()
	c := serve.New(stores.Conn, stores.CoordinatorQueue(), &ingest.Roots{Folders: []string{"../.."}}, run.Config{
		Owner: name, Ledger: stores.Ledger, Blobs: stores.Blobs, Events: events, Log: zerolog.Nop(),
	})
	_, err := c.Answer(stores.Conn)
	require.NoError(s.t, err)
	require.NoError(s.t, stores.Conn.Flush(s.t.Context()))
	ctx, stop := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	kill = sync.OnceFunc(func() {
		stores.Close()
		stop()
		running.Wait()
	})
	s.t.Cleanup(kill)
	return kill
}

// ask makes a request as a user does.
func (s *site) ask(what, payload string, into any) {
	s.t.Helper()
	answer, err := ask(s.t.Context(), s.conn, what, []byte(payload))
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal(answer, into), string(answer))
}

// until asks for the sweep until it is as wanted.
func (s *site) until(id string, is func(api.ShownSweep) bool) (shown api.ShownSweep) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		answer, err := ask(s.t.Context(), s.conn, "get", []byte(id))
		return err == nil && json.Unmarshal(answer, &shown) == nil && is(shown)
	}, 2*time.Minute, 20*time.Millisecond, "%+v", &shown)
	return shown
}

func ended(s api.ShownSweep) bool { return s.State.Final() }

// rows is a small regression with its rows in the spec.
func rows() string {
	var x, y []string
	for i := range 60 {
		x, y = append(x, fmt.Sprint(i%17)), append(y, fmt.Sprint(3*(i%17)+i%3))
	}
	return fmt.Sprintf("data: {inline: {x: [%s], y: [%s]}, split: SPLIT}", strings.Join(x, ", "), strings.Join(y, ", "))
}

var regression = `
spec:
  name: x
  ` + rows() + `
  model: {layers: [{dense: {units: 4, activation: tanh}}, {dense: {units: 1}}]}
  loss: mse
  metrics: [r2]
  optimizer: {adam: {learning_rate: 0.01}}
  batch: 8
  epochs: 6
`

func textOf(name, more, split string) string {
	return "name: " + name + "\n" + more + strings.Replace(regression, "SPLIT", split, 1)
}

const (
	threeSplits = "{train: 0.6, validation: 0.2, test: 0.2}"
	folds3      = "{k_folds: 3}"
)

// A submitted sweep ends with the best trial of a sweep at the terminal, with the same bits,
// although its coordinator dies in the middle.
func TestASubmittedSweepIsThatOfTheTerminal(t *testing.T) {
	s := newSite(t)
	kill := s.coordinate("c0")
	for i, more := range []string{
		"parallel: 2\nparameters: {optimizer.adam.learning_rate: [0.001, 0.05], seed: [1, 2]}",
		"parallel: 2\nsearch: random\ntrials: 4\nmonitor: r2\nparameters: {optimizer.adam.learning_rate: {log_uniform: [0.001, 0.3]}, seed: {int: [1, 9]}}",
		"parallel: 3\nsearch: halving\ntrials: 6\nhalving: {epochs: 2}\nparameters: {optimizer.adam.learning_rate: {log_uniform: [0.001, 0.3]}, batch: [4, 8]}",
	} {
		name := fmt.Sprint("s", i)
		text := textOf(name, more, threeSplits)
		var status api.SweepStatus
		s.ask("submit", text, &status)
		require.Equal(t, trial.Running, status.State)
		s.until(name, func(w api.ShownSweep) bool { return w.Done >= 2 })
		kill()
		kill = s.coordinate(fmt.Sprint("c", i+1))
		s.ask("submit", text, &status) // changes nothing
		got := s.until(name, ended)
		require.Equal(t, trial.Succeeded, got.State, got.Error)

		want, all := atTerminal(t, text)
		require.Equal(t, want.Best.Number, got.Best.Trial)
		require.Equal(t, *want.Best.Value, got.Best.Value)
		require.Equal(t, want.Best.Values, got.Best.Values)
		require.Equal(t, want.Best.Metrics, got.Best.Metrics)
		model, err := registry.Load(want.Out)
		require.NoError(t, err)
		require.Equal(t, model.Card.ParametersSHA256, got.Best.ParametersSHA256)
		require.Equal(t, string(model.Card.ID), string(got.Best.Job))
		for _, line := range got.Table {
			require.Equal(t, all[line.Trial-1].Value, line.Value)
		}
	}
}

// atTerminal runs a sweep as the command without servers does.
func atTerminal(t *testing.T, text string) (*Outcome, []*trial.Trial) {
	t.Helper()
	sweep := decoded(t, text)
	both := lifecycle.Contexts{Soft: t.Context(), Hard: t.Context()}
	r := &runner{Sweep: sweep, out: t.TempDir(), parallel: 2, noun: trialNoun, say: io.Discard, train: inProcess(both, zerolog.Nop(), 2)}
	o, err := r.run(t.Context())
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(r.out, trialsFile))
	require.NoError(t, err)
	var all []*trial.Trial
	require.NoError(t, json.Unmarshal(data, &all))
	return o, all
}

// A cross-validation has the metrics of each fold, and no best trial.
func TestASubmittedCrossValidation(t *testing.T) {
	s := newSite(t)
	s.coordinate("c")
	text := textOf("cv", "search: folds", folds3)
	s.ask("submit", text, new(api.SweepStatus))
	got := s.until("cv", ended)
	require.Equal(t, trial.Succeeded, got.State, got.Error)
	require.Nil(t, got.Best)
	r := &runner{Sweep: decoded(t, text), out: t.TempDir(), parallel: 2, noun: "fold", say: io.Discard, train: inProcess(lifecycle.Contexts{Soft: t.Context(), Hard: t.Context()}, zerolog.Nop(), 2)}
	want, err := r.crossValidate(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.Metrics, got.Folds)
	require.Equal(t, job.ID("cv-fold-1"), got.Table[len(got.Table)-1].Job)
}

// The command submits a sweep, follows it and prints the table.
func TestTheCommandFollowsASweep(t *testing.T) {
	s := newSite(t)
	s.coordinate("c")
	var out strings.Builder
	sweep := decoded(t, textOf("f", "parameters: {batch: [4, -1, 8]}", threeSplits))
	text, err := sweep.JSON()
	require.NoError(t, err)
	s.ask("submit", string(text), new(api.SweepStatus))
	shown, err := follow(t.Context(), s.conn, sweep, &out)
	require.NoError(t, err)
	require.Equal(t, []int{3, 3, 1}, []int{shown.Trials, shown.Done, shown.Failed})
	require.Equal(t, 2, shown.Table[2].Trial, "failed trials are last")
	require.Contains(t, shown.Table[2].Error, "batch: -1")
	require.Regexp(t, `(?s)succeeded: 3 of 3 trials have ended, 1 failed; best .*the best is trial [13], .* its model is f-00[13]\n$`, out.String())

	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, err = follow(ctx, s.conn, sweep, &out)
	require.ErrorContains(t, err, "no longer following sweep f, which goes on")
	require.ErrorContains(t, (&Command{NATS: access.URL(s.nats), Out: "x"}).Validate(), "--out: want no --nats")
}
