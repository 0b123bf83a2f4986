package serve

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/broker"
)

// sweepOf is a sweep over inline rows.
func sweepOf(name, more string) string {
	return fmt.Sprintf(`{"name":%q,%s,"spec":{"name":"x","data":{"inline":{"x":[1,2,3,4],"y":[1,2,3,4]},"split":{"train":0.75,"validation":0.25}},
		"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":1,"epochs":9}}`, name, more)
}

func (c client) sweep(what, payload string) (code string, answer map[string]any) {
	c.t.Helper()
	return c.request("tributary.sweeps."+what, payload)
}

// refusedSweep checks that a request is refused with words.
func (c client) refusedSweep(what, payload, code, want string) {
	c.t.Helper()
	got, answer := c.sweep(what, payload)
	require.Equal(c.t, code, got, "%.200s: %v", payload, answer)
	require.Contains(c.t, fmt.Sprint(answer["error"]), want)
}

func TestTheLifeOfASweepOverNATS(t *testing.T) {
	c := serving(t)
	text := sweepOf("s", `"parallel":2,"parameters":{"seed":[1,2,3]}`)
	code, answer := c.sweep("submit", text)
	require.Empty(t, code, answer)
	require.Equal(t, map[string]any{"id": "s", "state": "running", "trials": 3.0}, answer)
	c.reaches("s-001", "running") // no worker is there
	c.reaches("s-002", "running")
	code, _ = c.ask("get", "s-003")
	require.Equal(t, "404", code, "two run at a time")
	_, trial := c.ask("get", "s-001")
	require.Equal(t, []any{"sweep=s"}, trial["tags"])

	code, answer = c.sweep("submit", text)
	require.Empty(t, code, answer)
	require.Equal(t, "running", answer["state"])
	c.refusedSweep("submit", sweepOf("s", `"parameters":{"seed":[1,2,4]}`), "409", `another sweep of that name`)
	c.refusedSweep("remove", "s", "409", "cancel it first")
	_, answer = c.sweep("get", `{"id":"s","limit":2}`)
	require.Len(t, answer["table"], 2)
	require.EqualValues(t, 1, answer["omitted"])

	_, answer = c.sweep("cancel", "s")
	require.Equal(t, "cancelled", answer["state"])
	_, answer = c.sweep("cancel", "s")
	require.Equal(t, "cancelled", answer["state"])
	c.reaches("s-001", "cancelled")
	c.reaches("s-002", "cancelled")
	require.Eventually(t, func() bool {
		code, _ := c.sweep("remove", "s")
		return code == ""
	}, 20*time.Second, 10*time.Millisecond)
	for _, what := range []string{"get", "cancel", "remove"} {
		c.refusedSweep(what, "s", "404", `there is no sweep "s"`)
	}

	// The jobs stay, and are in the way of the next sweep of that name.
	c.refusedSweep("submit", text, "409", `name "s": jobs have the ids of its trials and cannot be used again: s-001 was cancelled, s-002 was cancelled; remove these jobs`)
	_, answer = c.ask("remove", "s-001")
	require.Equal(t, true, answer["removed"], answer)
	c.refusedSweep("submit", text, "409", `s-002 was cancelled; remove`)
	_, answer = c.ask("remove", "s-002")
	require.Equal(t, true, answer["removed"], answer)
	code, answer = c.sweep("submit", text)
	require.Empty(t, code, answer)
	c.reaches("s-002", "running")
}

// A record whose sweep cannot be carried out can be cancelled and removed.
func TestADamagedSweepCanBeRemoved(t *testing.T) {
	c := serving(t)
	js, err := jetstream.New(c.nc)
	require.NoError(t, err)
	kv, err := js.KeyValue(t.Context(), broker.SweepBucket)
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "bad", []byte(`{"id":"bad","state":"running","sweep":{"name":"bad","future":1},"trials":1,"rounds":[]}`))
	require.NoError(t, err)
	c.refusedSweep("remove", "bad", "409", "cancel it first")
	code, answer := c.sweep("cancel", "bad")
	require.Empty(t, code, answer)
	code, answer = c.sweep("remove", "bad")
	require.Empty(t, code, answer)
	c.refusedSweep("get", "bad", "404", "there is no sweep")
}

// A job of the same spec is a sweep's trial; one of another spec is in its way.
func TestASweepFindsJobs(t *testing.T) {
	c := serving(t)
	one := func(seed int) string {
		return fmt.Sprintf(`{"id":"s-001","name":"s","seed":%d,"data":{"inline":{"x":[1,2,3,4],"y":[1,2,3,4]},"split":{"train":0.75,"validation":0.25}},
			"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":1,"epochs":9}`, seed)
	}
	code, answer := c.ask("submit", one(7))
	require.Empty(t, code, answer)
	c.refusedSweep("submit", sweepOf("s", `"parameters":{"seed":[8]}`), "409", "s-001 has another spec")
	code, answer = c.sweep("submit", sweepOf("s", `"parameters":{"seed":[7,-1]}`))
	require.Empty(t, code, answer)
	c.reaches("s-001", "running")
}

// The jobs of a sweep share the prepared data unless a parameter changes it, as the seed of
// the split does: each has one blob of its own, its plan.
func TestTrialsShareTheirData(t *testing.T) {
	var blobs *broker.Blobs
	c := servingAs(t, func(conn *broker.Conn) blob.Store {
		blobs = conn.Blobs()
		return blobs
	}, func(*Coordinator, run.Config) {})
	counted := func(name, more string, ids ...string) (n int) {
		code, answer := c.sweep("submit", sweepOf(name, more))
		require.Empty(t, code, answer)
		for _, id := range ids {
			c.reaches(id, "running")
		}
		for _, err := range blobs.List(t.Context()) {
			require.NoError(t, err)
			n++
		}
		return n
	}
	one := counted("one", `"parameters":{"optimizer.sgd.learning_rate":[0.1]}`, "one-001")
	require.Greater(t, one, 1)
	require.Equal(t, one+3, counted("more", `"parameters":{"optimizer.sgd.learning_rate":[0.2,0.3,0.4]}`, "more-001", "more-002", "more-003"))
}

func TestSweepsAreListed(t *testing.T) {
	c := serving(t)
	for _, name := range []string{"a", "b", "d"} {
		code, answer := c.sweep("submit", sweepOf(name, `"parameters":{"seed":[1]}`))
		require.Empty(t, code, answer)
	}
	c.sweep("cancel", "b")
	names := func(payload string) (all []string) {
		code, answer := c.sweep("list", payload)
		require.Empty(t, code, answer)
		for _, s := range answer["sweeps"].([]any) {
			all = append(all, s.(map[string]any)["id"].(string))
		}
		return all
	}
	require.Equal(t, []string{"d", "b", "a"}, names(""))
	require.Equal(t, []string{"d"}, names(`{"limit":1}`))
	require.Equal(t, []string{"a"}, names(`{"before":"b"}`))
	require.Equal(t, []string{"b"}, names(`{"state":"cancelled"}`))
	c.refusedSweep("list", `{"limit":0}`, "400", "limit: 0: want an integer from 1 to 1000")
	c.refusedSweep("list", `{"state":"x"}`, "400", "want one of running, succeeded, failed, cancelled")
	c.refusedSweep("list", `{"before":"x"}`, "404", `there is no sweep "x"`)
	c.refusedSweep("list", `{"x":1}`, "400", "unknown field")
}

// Whatever is sent, the answer says in words what is wrong, and nothing is stored.
func TestBadSweeps(t *testing.T) {
	c := serving(t)
	const ok = `"parameters":{"seed":[1]}`
	for payload, want := range map[string]string{
		"": "it is empty",
		`{"name":"s","job":"deployments/jobs/credit.yaml",` + ok + `}`: "job: \"deployments/jobs/credit.yaml\": a path means nothing to a coordinator: want the job's spec itself as spec",
		`{"name":"s","jobs":1}`: "unknown field \"jobs\"",
		sweepOf("A b", ok):      `name: "A b": want 1 to 52`,
		sweepOf("s", `"parameters":{"model.layers[7].dense.units":[1]}`): "the spec has no such element",
		sweepOf("s", `"parameters":{"batch":[-1]}`):                      "batch: -1",
		sweepOf("s", `"monitor":"auc",`+ok):                              `monitor: "auc": want loss`,
		sweepOf("s", `"parallel":-1,`+ok):                                "parallel: -1: want 1 to 256",
		sweepOf("s", `"search":"random","trials":10001,`+ok):             "trials: 10001: want 1 to 10000",
		strings.Replace(sweepOf("s", ok), `"inline":{"x":[1,2,3,4],"y":[1,2,3,4]}`, `"source":"/etc/passwd","format":"csv","label":"y"`, 1): "data.source: ",
		sweepOf("s", `"parameters":{"data.source":["dataset:iris"]}`):                                                                       "want a version, as dataset:iris@1",
		"name: " + strings.Repeat("[", 100_000):                                                                                             "nested",
		"name: s\n" + strings.Repeat("#", 1<<20):                                                                                            "want at most 1048576",
		"\xff":                                                                                                                              "UTF-8",
	} {
		c.refusedSweep("submit", payload, "400", want)
	}
	_, answer := c.sweep("list", "")
	require.Empty(t, answer["sweeps"])
	c.refusedSweep("get", "", "400", "id")
	c.refusedSweep("get", `{"id":"s","limit":9999}`, "400", "limit: 9999")
	c.refusedSweep("cancel", `{"id":"s"} 1`, "400", "text follows")
	c.refusedSweep("get", strings.Repeat("a", 70_000), "400", "")
}
