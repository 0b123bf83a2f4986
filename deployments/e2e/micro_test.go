package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/micro"
	"github.com/stretchr/testify/require"

	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// A job from its submission to a prediction, with a client that knows only NATS.
func TestALineWithAPlainClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	w.work()
	line, err := os.ReadFile("../jobs/line.json")
	require.NoError(t, err)

	m := w.ask("tributary.jobs.submit", string(line))
	require.JSONEq(t, `{"id":"line","state":"submitted"}`, string(m.Data))
	s := w.follow("line")
	end := s.end()
	require.Equal(t, job.Succeeded, end.State, end.Message)
	require.Equal(t, reference(t, string(line)), end.Outcome.ParametersSHA256)

	// The job's events, as a late subscriber receives them too.
	late := w.follow("line")
	late.end()
	require.Equal(t, s.told, late.told)
	var states []job.State
	steps := int64(0)
	for _, e := range s.told {
		require.Equal(t, job.ID("line"), e.Job)
		if e.Type == notice.StateEvent {
			states = append(states, e.State)
		}
		if e.Type == notice.ProgressEvent {
			require.GreaterOrEqual(t, e.Step, steps)
			require.NotNil(t, e.Loss)
			steps = e.Step
		}
	}
	require.EqualValues(t, 100, steps)
	require.Equal(t, []job.State{job.Submitted, job.Preparing, job.Running, job.Succeeded}, states)
	require.True(t, slices.ContainsFunc(s.told, func(e notice.Event) bool { return e.Type == notice.EvaluationEvent && e.Split == job.Train }))

	// The record, through the API and in the bucket.
	r := w.record("line")
	require.Equal(t, job.Succeeded, r.State)
	require.Equal(t, end.Outcome, r.Outcome)
	kv, err := w.js.KeyValue(t.Context(), broker.JobBucket)
	require.NoError(t, err)
	e, err := kv.Get(t.Context(), "line")
	require.NoError(t, err)
	require.Equal(t, job.Succeeded, decode[job.Record](t, e.Value()).State)
	again := w.ask("tributary.jobs.submit", string(line))
	require.JSONEq(t, `{"id":"line","state":"succeeded"}`, string(again.Data), "submission is idempotent")
	list := decode[map[string][]job.Record](t, w.ask("tributary.jobs.list", "").Data)["jobs"]
	require.Len(t, list, 1)
	require.Equal(t, job.Succeeded, list[0].State)
	require.True(t, json.Valid(w.ask("tributary.jobs.schema", "").Data))
	require.Contains(t, w.refused("tributary.jobs.cancel", "line", 409), "has succeeded and cannot be cancelled")

	// The model, in the bucket and through predictions.
	objects, err := w.js.ObjectStore(t.Context(), broker.ModelBucket)
	require.NoError(t, err)
	files, err := objects.List(t.Context())
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	for _, want := range []string{"model.safetensors", "model.json", "metrics.jsonl", "loss.svg", "loss.png"} {
		require.True(t, slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "/"+want) }), "%s in %v", want, names)
	}
	answer := decode[struct{ Predictions []float64 }](t, w.ask("tributary.predict.line", `{"rows":[[6],[1]]}`).Data)
	require.Len(t, answer.Predictions, 2)
	require.InDelta(t, 9.1, answer.Predictions[0], 0.2, "the least squares optimum is 9.2")
	require.Contains(t, w.refused("tributary.predict.nobody", `{"rows":[[6]]}`, 404), "nobody")
	require.Contains(t, w.refused("tributary.predict.line", `{"rows":[[6,7]]}`, 400), "row of 2 values: the model takes 1")
	w.refused("tributary.predict.line", `{"rows":`, 400)

	w.eventually("the training state is deleted", func() bool { return w.record("line").Released && len(w.keys("line")) == 0 })
}

func TestServicesCanBeDiscovered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	w.work()
	w.refused("tributary.jobs.get", "nobody", 404)
	w.refused("tributary.predict.nobody", `{"rows":[[1]]}`, 404)

	ping := decode[micro.Ping](t, w.ask("$SRV.PING.tributary", "").Data)
	require.Equal(t, "tributary", ping.Name)
	require.Regexp(t, `^\d+\.\d+\.\d+`, ping.Version)
	info := decode[micro.Info](t, w.ask("$SRV.INFO.tributary", "").Data)
	var subjects []string
	for _, e := range info.Endpoints {
		subjects = append(subjects, e.Subject)
		require.NotEmpty(t, e.Metadata["about"])
	}
	require.ElementsMatch(t, []string{
		"tributary.jobs.submit", "tributary.jobs.get", "tributary.jobs.list", "tributary.jobs.cancel", "tributary.jobs.schema",
		"tributary.jobs.pause", "tributary.jobs.resume", "tributary.jobs.retry", "tributary.jobs.remove", "tributary.jobs.priority", "tributary.jobs.verify", "tributary.jobs.continue",
		"tributary.sweeps.submit", "tributary.sweeps.get", "tributary.sweeps.list", "tributary.sweeps.cancel", "tributary.sweeps.remove",
		"tributary.data.put", "tributary.data.list", "tributary.data.get", "tributary.data.remove", "tributary.data.inspect",
	}, subjects)
	stats := decode[micro.Stats](t, w.ask("$SRV.STATS.tributary", "").Data)
	for _, e := range stats.Endpoints {
		if e.Name == "get" {
			require.Equal(t, 1, e.NumRequests)
			require.Equal(t, 1, e.NumErrors)
			require.Contains(t, e.LastError, "404")
		}
	}
	require.Equal(t, "tributary-predict", decode[micro.Ping](t, w.ask("$SRV.PING.tributary-predict", "").Data).Name)
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	for payload, want := range map[string]string{
		"":                           "spec",
		"{":                          "",
		"name: [":                    "",
		"nam: x\n":                   "nam",
		strings.Repeat("# x\n", 3e5): "1048576",
	} {
		require.Contains(t, w.refused("tributary.jobs.submit", payload, 400), want)
	}
	require.Contains(t, w.refused("tributary.jobs.get", "nobody", 404), `job "nobody"`)
	w.refused("tributary.jobs.get", "a b", 400)
	w.refused("tributary.jobs.cancel", "nobody", 404)

	require.NoError(t, os.WriteFile(filepath.Join(w.roots[0], "rows.csv"), []byte("x,y\n1,2\n2,4\n3,5\n"), 0o600))
	text := `{"name":"r","data":{"source":"SOURCE","format":"csv","label":"y"},"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.01}},"batch":3,"steps":2}`
	for _, outside := range []string{"/etc/passwd", "../../etc/passwd", filepath.Join(w.dir, "x.csv")} {
		require.Contains(t, w.refused("tributary.jobs.submit", strings.Replace(text, "SOURCE", outside, 1), 400), "data.source: ")
	}
	w.submit(strings.Replace(text, "SOURCE", filepath.Join(w.roots[0], "rows.csv"), 1))

	id := w.submit(long("twice", 10))
	require.Contains(t, w.refused("tributary.jobs.submit", long("twice", 100), 409), "with another spec was submitted at")
	require.Equal(t, id, w.submit(long("twice", 10)))
}

// put stores an object like `nats object put`.
func (w *world) put(bucket, name, content string) {
	w.t.Helper()
	o, err := w.js.CreateOrUpdateObjectStore(w.t.Context(), objectBucket(bucket))
	require.NoError(w.t, err)
	_, err = o.PutString(w.t.Context(), name, content)
	require.NoError(w.t, err)
}

func TestDatasetsInObjectBuckets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	w.work()
	var rows strings.Builder
	rows.WriteString("size,price\n")
	for i := range 50 {
		rows.WriteString(strings.Repeat("1", 1+i%3) + "," + strings.Repeat("2", 1+i%3) + "\n")
	}
	w.put("datasets", "2026/houses.csv", rows.String())
	text := `
id: houses
name: houses
data: {source: "nats:datasets/2026/houses.csv", label: price, transform: {scale: standard}}
model: {layers: [{dense: {units: 1}}]}
loss: mse
optimizer: {sgd: {learning_rate: 0.01}}
batch: 10
epochs: 2
metrics: [rmse]
`
	w.submit(text)
	end := w.follow("houses").end()
	require.Equal(t, job.Succeeded, end.State, end.Message)
	require.Contains(t, end.Outcome.Metrics[job.Train], "rmse")

	// A missing object or bucket fails the job, and the error names it.
	for id, source := range map[string]string{"no-object": "nats:datasets/nothing.csv", "no-bucket": "nats:nothing/houses.csv"} {
		w.submit(strings.NewReplacer("id: houses", "id: "+id, "nats:datasets/2026/houses.csv", source).Replace(text))
		end = w.follow(job.ID(id)).end()
		require.Equal(t, job.Failed, end.State)
		require.Contains(t, end.Message, `data.source "`+source+`"`)
		require.Equal(t, end.Message, w.record(job.ID(id)).Error)
	}
}
