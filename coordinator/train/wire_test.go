package train

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// With every lossy wire format, any fleet gives the same bits as the plain loop.
func TestLossyWiresEqualSerial(t *testing.T) {
	for _, wire := range []string{"bfloat16", "int8", "topk\nwire_keep: 0.1"} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%.8s, %d workers", wire, workers), func(t *testing.T) {
				w := newWorld()
				s := w.submit(t, short+"wire: "+wire+"\n")
				want, serial := reference(t, s)
				defer w.coordinate(t)()
				for i := range workers {
					w.work(t, fmt.Sprint("w", i), 1, nil)
				}
				r := w.ended(t, "short")
				require.Equal(t, job.Succeeded, r.State, r.Error)
				require.Equal(t, want, r.Outcome.ParametersSHA256)
				require.Equal(t, serial.Metrics, r.Outcome.Metrics)
				t.Log(wire, r.Outcome.Metrics[job.Test])
			})
		}
	}
}
