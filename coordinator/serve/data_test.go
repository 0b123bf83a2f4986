package serve

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/broker"
)

// rooted serves with one data root, which has the files.
func rooted(t *testing.T, files map[string]string) client {
	root := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	return servingAs(t, func(conn *broker.Conn) blob.Store { return conn.Blobs() }, func(c *Coordinator, _ run.Config) {
		c.sources.Folders = []string{root}
	})
}

func TestInspectOverNATS(t *testing.T) {
	var wide strings.Builder
	wide.WriteString("y")
	for i := range 4500 {
		fmt.Fprintf(&wide, ",c%d", i)
	}
	for row := range 30 {
		fmt.Fprintf(&wide, "\n%d%s", row, strings.Repeat(fmt.Sprintf(",some text that is quite long %d", row%3), 4500))
	}
	c := rooted(t, map[string]string{"a.csv": "x,y\n1,2\n2,4\n4,8\n5,9\n", "wide.csv": wide.String()})
	for _, request := range []string{"a.csv", `{"source":"a.csv"}`, `{"source":"a.csv","label":"y","format":"csv"}`, "name: a\ndata: {source: a.csv, label: y}\n" +
		"model: {layers: [{dense: {units: 1}}]}\nloss: mse\noptimizer: {sgd: {learning_rate: 0.1}}\nbatch: 2\nsteps: 1"} {
		code, answer := c.request("tributary.data.inspect", request)
		require.Empty(t, code, answer)
		require.EqualValues(t, 4, answer["rows"])
		require.Contains(t, answer["suggested_spec"], "label: \"y\"")
	}
	code, answer := c.request("tributary.data.inspect", "wide.csv")
	require.Empty(t, code, answer)
	require.EqualValues(t, 4501, answer["width"])
	require.Less(t, len(answer["columns"].([]any)), 4501)
	text, err := json.Marshal(answer)
	require.NoError(t, err)
	require.Less(t, len(text), 1<<20)
	require.NotZero(t, answer["omitted_columns"])

	for request, want := range map[string]string{
		"":                                 "source: missing",
		"/etc/passwd":                      "outside the data roots",
		"../a.csv":                         "outside the data roots",
		"nope.csv":                         "file does not exist",
		"nats:none/none.csv":               "none",
		`{"source":"a.csv","lable":"y"}`:   "unknown field",
		`{"source":"a.csv","label":"z"}`:   `no column "z"`,
		`{"source":"a.csv","format":"xx"}`: `format: "xx": want one of csv, idx, jsonl, parquet`,
		`{"source":"a.csv"} 1`:             "text follows",
		`{"data":{}}`:                      "name: missing",
		strings.Repeat("a", 5000):          "want 1 to 4096",
	} {
		code, answer := c.request("tributary.data.inspect", request)
		require.Contains(t, []string{"400", "404"}, code, request)
		require.Contains(t, fmt.Sprint(answer["error"]), want)
	}
}

func TestNamedDataSetsOverNATS(t *testing.T) {
	c := rooted(t, map[string]string{"a.csv": "x,y\n1,2\n2,4\n4,8\n5,9\n", "b.csv": "x,y\n1,2\n2,4\n4,8\n", "none": "x"})
	ask := func(what, payload string) map[string]any {
		code, answer := c.request("tributary.data."+what, payload)
		require.Empty(t, code, answer)
		return answer
	}
	refused := func(what, payload, want string) {
		t.Helper()
		code, answer := c.request("tributary.data."+what, payload)
		require.NotEmpty(t, code, answer)
		require.Contains(t, fmt.Sprint(answer["error"]), want)
	}
	require.Empty(t, ask("list", "")["datasets"])
	require.EqualValues(t, 1, ask("put", `{"name":"line","source":"a.csv"}`)["version"])
	require.EqualValues(t, 1, ask("put", `{"name":"line","source":"a.csv"}`)["version"])
	require.EqualValues(t, 2, ask("put", `{"name":"line","source":"b.csv"}`)["version"])
	require.EqualValues(t, 3, ask("put", `{"name":"line","source":"dataset:line@1","format":"csv"}`)["version"], "a version can be the source of another")
	require.EqualValues(t, 4, ask("inspect", "dataset:line@1")["rows"])
	require.EqualValues(t, 2, ask("get", "line@2")["version"])
	require.EqualValues(t, 3, ask("get", `{"name":"line"}`)["version"])

	const spec = `{"id":%q,"name":"line","data":{"source":%q,"label":"y"},"model":{"layers":[{"dense":{"units":1}}]},
		"loss":"mse","optimizer":{"sgd":{"learning_rate":0.01}},"batch":2,"steps":5}`
	code, answer := c.ask("submit", fmt.Sprintf(spec, "j", "dataset:line"))
	require.Empty(t, code, answer)
	c.reaches("j", "running")
	_, record := c.ask("get", "j")
	require.Equal(t, "dataset:line@3", record["spec"].(map[string]any)["data"].(map[string]any)["source"])
	require.Equal(t, "csv", record["spec"].(map[string]any)["data"].(map[string]any)["format"])
	used := record["datasets"].([]any)[0].(map[string]any)
	require.Equal(t, "data.source", used["field"])
	require.EqualValues(t, 3, used["version"])
	require.Equal(t, ask("get", "line@1")["sha256"], used["sha256"])
	refused("remove", "line@3", "needed by job j, which has not succeeded")
	require.Equal(t, true, ask("remove", "line@2")["removed"])
	c.ask("cancel", "j")
	refused("remove", `{"name":"line","version":3}`, "needed by job j")
	require.Eventually(t, func() bool {
		code, _ := c.ask("remove", "j")
		return code == "" || code == "404"
	}, 20*time.Second, 10*time.Millisecond)
	ask("remove", "line@3")
	require.EqualValues(t, 4, ask("put", `{"name":"line","source":"b.csv"}`)["version"])

	for _, r := range []struct{ what, payload, want string }{
		{"get", "lin", `did you mean "line"?`},
		{"get", "line@9", "has no version 9"},
		{"get", "line@0", "want an integer from 1 on"},
		{"get", "", "data set"},
		{"get", `{"name":"line","vers":1}`, "unknown field"},
		{"get", `{"name":"line@1"}`, "in its own field"},
		{"get", `{"name":"line","version":-1}`, "version: -1"},
		{"remove", "line", "want the version to remove"},
		{"put", "", "it is empty"},
		{"put", `{"name":"line"}`, "source: missing"},
		{"put", `{"name":"A b","source":"a.csv"}`, "name: "},
		{"put", `{"name":"line","source":"none"}`, `format: "": want one of`},
		{"put", `{"name":"line","source":"../x.csv"}`, "outside the data roots"},
		{"put", `{"name":"line","source":"nats:no/such.csv"}`, "no"},
	} {
		refused(r.what, r.payload, r.want)
	}
	for source, want := range map[string]string{
		"dataset:line@2":  "has no version 2: it has 1, 4",
		"dataset:nothing": `there is no data set "nothing"`,
		"dataset:":        "want <name> or <name>@<version>",
		"dataset:line@01": "want an integer from 1 on",
	} {
		code, answer := c.ask("submit", fmt.Sprintf(spec, "k", source))
		require.Equal(t, "400", code, answer)
		require.Contains(t, fmt.Sprint(answer["error"]), "data.source: ")
		require.Contains(t, fmt.Sprint(answer["error"]), want)
	}
	code, answer = c.ask("submit", strings.Replace(fmt.Sprintf(spec, "k", "dataset:line"), `,"label":"y"`, "", 1))
	require.Equal(t, "400", code)
	require.Contains(t, fmt.Sprint(answer["error"]), "data.label: missing", "what the format asks for is checked after the format is known")
}
