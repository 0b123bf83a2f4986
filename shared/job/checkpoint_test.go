package job_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestCheckpointDefaults(t *testing.T) {
	for _, c := range []struct{ given, want job.Checkpointing }{
		{job.Checkpointing{}, job.Checkpointing{EverySeconds: 60, Keep: 3}},
		{job.Checkpointing{EverySteps: 100}, job.Checkpointing{EverySteps: 100, Keep: 3}},
		{job.Checkpointing{EverySteps: 100, EverySeconds: 5, Keep: 1}, job.Checkpointing{EverySteps: 100, EverySeconds: 5, Keep: 1}},
	} {
		s := job.Spec{Checkpoint: c.given}
		require.Equal(t, c.want, s.Checkpoints())
		require.Equal(t, c.given, s.Checkpoint, "the spec itself stays as it was written")
	}
}

func TestTheNewestCheckpointsAreKept(t *testing.T) {
	at := func(step int64, digest job.Digest) job.Checkpoint { return job.Checkpoint{Step: step, Digest: digest} }
	list := []job.Checkpoint{at(30, "c"), at(10, "a")}
	kept, dropped := job.WithCheckpoint(list, at(20, "b"), 2)
	require.Equal(t, []job.Checkpoint{at(30, "c"), at(20, "b")}, kept)
	require.Equal(t, []job.Checkpoint{at(10, "a")}, dropped)
	require.Equal(t, []job.Checkpoint{at(30, "c"), at(10, "a")}, list)

	kept, dropped = job.WithCheckpoint(list, at(30, "c"), 2)
	require.Equal(t, list, kept, "one that is there is not noted twice")
	require.Empty(t, dropped)

	require.Equal(t, []job.Checkpoint{at(10, "a")}, job.WithoutCheckpoint(list, "c"))
	require.Len(t, list, 2)
}
