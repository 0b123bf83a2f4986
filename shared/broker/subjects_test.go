package broker

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/queue"
)

func TestTokensAreOneToOneAndSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		ta, tb := token(a), token(b)
		if (a == b) != (ta == tb) {
			t.Fatalf("%q → %q, %q → %q", a, ta, b, tb)
		}
		if strings.ContainsAny(ta, " .*>/\\\r\n\t\x00") {
			t.Fatalf("%q → %q", a, ta)
		}
	})
}

func TestClassNames(t *testing.T) {
	subject, consumer, err := classNames(queue.Class{Lane: queue.GradientLane, Numerics: "amd64.avx2"})
	require.NoError(t, err)
	require.Equal(t, "tributary.tasks.gradient.amd64=2Eavx2", subject)
	require.Equal(t, "gradient-amd64=2Eavx2", consumer)
	subject, consumer, err = classNames(queue.Class{Lane: queue.BackgroundLane, Numerics: "f1", Job: "conv+memory-4gib"})
	require.NoError(t, err)
	require.Equal(t, "tributary.tasks.background.f1.conv+memory-4gib", subject)
	require.Equal(t, "background-f1==conv+memory-4gib", consumer)
	for _, c := range []queue.Class{
		{Lane: queue.GradientLane, Numerics: "f1", Job: "a.b"},
		{Lane: queue.GradientLane},
		{Lane: "express", Numerics: "f1"},
		{Lane: queue.GradientLane, Numerics: job.Numerics(strings.Repeat("x", 1000))},
	} {
		_, _, err := classNames(c)
		require.ErrorIs(t, err, job.ErrInvalid, "%+v", c)
	}
}

func FuzzDecodeTask(f *testing.F) {
	good, err := json.Marshal(job.Task{Ref: ref, Plan: "p", Numerics: "f1", Kind: job.Gradient, Step: 3, Node: 2})
	require.NoError(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		task, err := decodeTask(data)
		if err != nil {
			require.ErrorContains(t, err, "decode task")
			return
		}
		require.NoError(t, task.Job.Validate())
		require.GreaterOrEqual(t, task.Step, int64(0))
	})
}
