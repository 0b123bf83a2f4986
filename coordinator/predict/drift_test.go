package predict

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDrift(t *testing.T) {
	m := model(t)
	c := &Command{Rows: Rows{Input: "-"}, Drift: true}
	require.NoError(t, c.Validate())
	err := c.predict(t.Context(), m, from("x\n1\n"), io.Discard, io.Discard)
	require.ErrorContains(t, err, `--drift: the model "m-1" has no description of its training rows`)
	require.NoError(t, m.Describe([]byte(`{"version":1,"rows":20,"columns":[{"name":"x","min":0,"max":10,"edges":[5],"counts":[10,10]}]}`)))
	rows := "x\n" + strings.Repeat("1\n", 99) + "12\n"
	var out, plain, aside bytes.Buffer
	require.NoError(t, c.predict(t.Context(), m, from(rows), &out, &aside))
	require.Contains(t, aside.String(), "drift of 100 rows from 20 training rows")
	require.Regexp(t, `x +\d\.\d{4}  changed  0       1 +- +"12" \(training 0 to 10\)`, aside.String())
	c.Drift = false
	require.NoError(t, c.predict(t.Context(), m, from(rows), &plain, io.Discard))
	require.Equal(t, plain.String(), out.String())
	out.Reset()
	t.Setenv("TMPDIR", t.TempDir())
	require.NoError(t, (&Command{Rows: Rows{Input: "-"}, Drift: true, JSON: true}).predict(t.Context(), m, from(rows), &out, io.Discard))
	require.Contains(t, out.String(), `"drift":{"rows":100,"training_rows":20,"columns":[{"column":"x","psi":`)
}

func TestInfo(t *testing.T) {
	var out bytes.Buffer
	m := model(t)
	require.NoError(t, info(&out, m, false))
	require.Contains(t, out.String(), "it has no description of its training rows")
	require.NoError(t, m.Describe([]byte(`{"version":1,"rows":20,"columns":[{"name":"x","missing":2,"min":0,"max":10,"edges":[5],"counts":[10,8]}]}`)))
	out.Reset()
	require.NoError(t, info(&out, m, false))
	require.Contains(t, out.String(), "trained on 20 rows")
	require.Contains(t, out.String(), "x       numeric  10.0 %   0 to 10")
	out.Reset()
	require.NoError(t, info(&out, m, true))
	require.Contains(t, out.String(), `"profile":{"version":1`)
	require.Error(t, (&Command{Info: true, Rows: Rows{Input: "x"}}).Validate())
	require.Error(t, (&Command{}).Validate())
}
