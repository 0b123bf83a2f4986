package train

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/progress"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// silent publishes nothing.
type silent struct{}

func (silent) Publish(notice.Event) error { return nil }

// Another goroutine may publish the end, which can overtake earlier events.
func TestAJobThatHasEndedIsNotShownAsRunningAgain(t *testing.T) {
	var out bytes.Buffer
	f := newFollower(silent{}, progress.New(&out, false))
	f.follow("j")
	for _, s := range []job.State{job.Preparing, job.Cancelled, job.Running} {
		require.NoError(t, f.Publish(notice.Event{Job: "j", Type: notice.StateEvent, State: s}))
	}
	require.Equal(t, string(job.Cancelled), f.state.Phase)
	require.Equal(t, job.Cancelled, (<-f.ended).State)
	require.NotContains(t, out.String(), string(job.Running))
}
