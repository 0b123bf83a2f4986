package job_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// One column is a text, so that specs with one label keep their bytes.
func TestColumnsInJSON(t *testing.T) {
	for text, want := range map[string]struct {
		columns job.Columns
		back    string
	}{
		`"y"`:       {job.Columns{"y"}, `"y"`},
		`["y"]`:     {job.Columns{"y"}, `"y"`},
		`["y","z"]`: {job.Columns{"y", "z"}, `["y","z"]`},
	} {
		var c job.Columns
		require.NoError(t, json.Unmarshal([]byte(text), &c))
		require.Equal(t, want.columns, c)
		back, err := json.Marshal(c)
		require.NoError(t, err)
		require.Equal(t, want.back, string(back))
	}
	for _, text := range []string{`[]`, `[1]`, `{}`, `3`} {
		var c job.Columns
		require.ErrorIs(t, json.Unmarshal([]byte(text), &c), job.ErrInvalid, text)
	}
	require.Equal(t, "a, b", job.Columns{"a", "b"}.String())
}
