package job_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestClassWeightsInJSON(t *testing.T) {
	for text, want := range map[string]job.ClassWeights{
		`{"class_weights":"balanced"}`:      {Balanced: true},
		`{"class_weights":{"a":2,"b":0.5}}`: {Of: map[string]float64{"b": 0.5, "a": 2}},
		`{}`:                                {},
	} {
		var s struct {
			ClassWeights job.ClassWeights `json:"class_weights,omitzero"`
		}
		require.NoError(t, json.Unmarshal([]byte(text), &s))
		require.Equal(t, want, s.ClassWeights)
		back, err := json.Marshal(s)
		require.NoError(t, err)
		require.Equal(t, text, string(back))
	}
	for _, text := range []string{`{}`, `"even"`, `[1]`, `{"a":"b"}`, `{"a":{}}`, `1`} {
		var w job.ClassWeights
		require.ErrorIs(t, json.Unmarshal([]byte(text), &w), job.ErrInvalid, text)
	}
}
