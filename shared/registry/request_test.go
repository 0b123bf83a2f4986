package registry

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/model"
)

// Requests as an untrusted client may write them.
func TestPredictJSONRefuses(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1, 1, 1)
	deep := strings.Repeat("[", 50_000)
	for request, want := range map[string]string{
		``:                            "request is empty",
		` `:                           "request is empty",
		`null`:                        "request: it begins with null",
		`{}`:                          "rows: missing",
		`{"rows":null}`:               "rows: it begins with null",
		`{"rows":"x"}`:                "rows: it begins with x",
		`{"rows":[]}`:                 "rows: 0: want 1 to 3",
		`{"rows":[[1,2]],"rows":[]}`:  "duplicate object member name",
		`{"rows":[{"a":1,"a":2}]}`:    "row 0: jsontext: duplicate object member name",
		`{"rows":[[1,2]],"more":1}`:   `unknown field "more"`,
		`{"rows":[[1,2]]}[`:           "text follows the request's JSON object",
		`{"rows":[[1,2]}`:             "row 1: jsontext: ",
		`{"rows":[[1,`:                "row 0: jsontext: unexpected EOF",
		`{"rows":` + deep:             `row 0: column "a": an array`,
		`{"rows":[[` + deep:           `row 0: column "a": an array`,
		`{"rows":[{"y":` + deep:       "exceeded max depth",
		`{"rows":[{"a":{"b":1}}]}`:    `row 0: column "a": an object`,
		`{"rows":[[1e999,1]]}`:        `row 0: column "a": number 1e999: out of range`,
		"{\"rows\":[[\"\xff\",1]]}":   "invalid UTF-8",
		"{\"rows\":[{\"\xff\":1}]}":   "invalid UTF-8",
		`{"rows":[[1,1],[1,1],[1,1],`: "rows: more than 3: want 1 to 3",
		`{"rows":[[01,1]]}`:           "row 0: jsontext: ",
		`{"rows":[[` + strings.Repeat("9", 1<<20) + `,1]]}`:     "out of range",
		`{"rows":[["` + strings.Repeat("x", 1<<20) + `",1]]}`:   `row 0: column "a": text "xxx`,
		`{"rows":[[1` + strings.Repeat(",1", 1_000_000) + `]]}`: "row 0: row of 1000001 values: the model takes 2",
	} {
		_, err := m.PredictJSON(t.Context(), []byte(request), Limits{Rows: 3, Answer: 1 << 20})
		require.ErrorIs(t, err, job.ErrInvalid, "%.80s", request)
		require.ErrorContains(t, err, want, "%.80s", request)
		require.Less(t, len(err.Error()), 1000)
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A request of 4 MB took 100 MB when it was decoded at once.
func TestPredictJSONTakesLittleMemory(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1, 1, 1)
	for name, rows := range map[string]string{
		"a wide row":  `[1` + strings.Repeat(",1", 2_000_000) + `]`,
		"many rows":   `[1,1]` + strings.Repeat(",[1,1]", 600_000),
		"deep values": strings.Repeat(`[[`, 2_000_000),
		"many names":  `{"a":1,"b":1,"y":[` + strings.Repeat(`{"k":0},`, 400_000) + `0]}`,
	} {
		request := []byte(`{"rows":[` + rows + `]}`)
		limits := Limits{Rows: 1000, Answer: 1 << 20}
		got := allocated(func() { _, _ = m.PredictJSON(t.Context(), request, limits) })
		require.Less(t, got, uint64(m.RequestBytes(limits)), name)
		require.Less(t, got, uint64(len(request)), name)
	}
}

// The smallest size of an answer is known before it is computed.
func TestPredictJSONStopsWhenTheAnswerIsTooLong(t *testing.T) {
	label := dataset.Column{Name: "kind", Kind: dataset.Categorical}
	classes := []string{strings.Repeat("c", 1000), strings.Repeat("d", 1000)}
	m := linear(t, job.SigmoidCrossEntropy, classes, label, 1, 1, 0)
	rows := `1` + strings.Repeat(",1", 2_000)
	_, err := m.PredictJSON(t.Context(), []byte(`{"rows":[`+rows+`]}`), Limits{Rows: 10_000, Answer: 100_000})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "the answer for 257 rows is over 100000 bytes", "after a chunk")
}

// A network may have many layers as well as wide layers. A row takes the sum of their
// units.
func TestAChunkIsBoundedByAllLayers(t *testing.T) {
	m := linear(t, job.MSE, nil, column("y"), 2, 1, 1, 1)
	require.Equal(t, chunkRows, m.chunk())
	var layers []job.Layer
	for range 5 {
		layers = append(layers, job.Layer{Dense: &job.Dense{Units: 1 << 20}}, job.Layer{Dense: &job.Dense{Units: 1}})
	}
	var err error
	m.Network, err = model.New(job.Model{Layers: layers}, model.Table(1))
	require.NoError(t, err)
	require.Equal(t, 1, m.chunk())
}
