package serve

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
