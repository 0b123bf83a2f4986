package fleet

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/worker/compute"
)

func TestPhasesAreAddedUp(t *testing.T) {
	answer := `# TYPE tributary_worker_phase_seconds_total counter
tributary_worker_phase_seconds_total{phase="compute"} 1.5
tributary_worker_phase_seconds_total{phase="fold"} 0.25
# TYPE tributary_worker_phases_total counter
tributary_worker_phases_total{phase="compute"} 30
tributary_worker_phases_total{phase="fold"} 31
`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/metrics", r.URL.Path)
		_, _ = fmt.Fprint(w, answer)
	}))
	defer server.Close()
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	port, err := strconv.Atoi(at.Port())
	require.NoError(t, err)

	r := Reading{Phases: map[compute.Phase]PhaseTimes{}}
	require.NoError(t, r.phases(t.Context(), port))
	require.NoError(t, r.phases(t.Context(), port))
	require.Equal(t, map[compute.Phase]PhaseTimes{compute.Computing: {3, 60}, compute.Folding: {0.5, 62}}, r.Phases)

	answer = "# TYPE other counter\nother 1\n"
	require.ErrorContains(t, r.phases(t.Context(), port), "there is no tributary_worker_phase")
	answer = "not metrics"
	require.Error(t, r.phases(t.Context(), port))
}
