package train

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestTheTableOfAnOutcome(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, printTable(&out, &job.Outcome{
		Job: "digits-1", Steps: 1234, Seconds: 1.5, SamplesPerSecond: 123456, ParametersSHA256: "ab12", Out: "out/digits",
		Metrics: map[job.Split]map[string]float64{
			job.Train: {"loss": 0.0125, "accuracy": 1, "auc": 0.99995}, job.Validation: {"loss": 12345.6, "accuracy": 0.5},
		},
		Undefined: map[job.Split]map[string]string{job.Validation: {"auc": "every label is of one class"}},
	}))
	require.Equal(t, `job digits-1 has succeeded: 1,234 steps in 1.5s, 123,456 samples/s

       split       loss  accuracy        auc
       train    0.01250     1.000     1.0000
  validation  1.235e+04    0.5000  undefined

validation auc is undefined: every label is of one class
model        out/digits
parameters   ab12
`, out.String())
}
