package broker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/trial"
)

func TestSweepRecords(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{})
	s := c.Sweeps()
	var mark SweepMark
	changed := func() (ids []job.ID) {
		var err error
		mark, err = s.Changed(t.Context(), mark, func(r trial.Record) { ids = append(ids, r.ID) })
		require.NoError(t, err)
		return ids
	}
	require.Empty(t, changed())
	a := trial.Record{ID: "a", State: trial.Running, Created: time.Unix(1, 0).UTC(), Sweep: json.RawMessage(`{"name":"a"}`), Trials: 1, Rounds: []trial.Round{{Values: make([]*float64, 1)}}}
	require.NoError(t, s.Create(t.Context(), a, 1000))
	require.ErrorIs(t, s.Create(t.Context(), a, 1000), job.ErrConflict)
	b := a
	b.ID = "b"
	require.NoError(t, s.Create(t.Context(), b, 1000))
	require.Equal(t, []job.ID{"a", "b"}, changed())
	require.Empty(t, changed())

	got, revision, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, a, got)
	got.State = trial.Cancelled
	require.NoError(t, s.Update(t.Context(), got, revision))
	require.ErrorIs(t, s.Update(t.Context(), got, revision), job.ErrConflict)
	require.Equal(t, []job.ID{"a"}, changed())

	kv, err := s.bucket.get(t.Context())
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "bad", []byte("x"))
	require.NoError(t, err)
	require.Empty(t, changed())
	_, bad, err := s.Get(t.Context(), "bad")
	require.ErrorIs(t, err, job.ErrCorrupt)
	var all []string
	for r, err := range s.All(t.Context()) {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %v", r.ID, err != nil)))
	}
	slices.Sort(all)
	require.Equal(t, []string{"a false", "b false", "true"}, all)

	require.NoError(t, s.Delete(t.Context(), "bad", bad))
	require.NoError(t, s.Delete(t.Context(), "bad", bad))
	_, _, err = s.Get(t.Context(), "bad")
	require.ErrorIs(t, err, job.ErrNotFound)
	_, _, err = s.Get(t.Context(), "A b")
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorIs(t, s.Delete(t.Context(), "a", revision), job.ErrConflict)
	require.ErrorIs(t, s.Create(t.Context(), trial.Record{ID: "big", Sweep: json.RawMessage(`1`)}, 1<<30), job.ErrInvalid)
}

func TestABucketFullOfSweeps(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{SweepBytes: 1 << 20})
	s := c.Sweeps()
	r := trial.Record{ID: "s-0", Sweep: json.RawMessage(`{}`)}
	var err error
	for i := 0; err == nil && i < 100; i++ {
		r.ID = job.ID(fmt.Sprint("s-", i))
		r.Error = strings.Repeat("x", 100_000)
		err = s.Create(t.Context(), r, 50_000)
	}
	require.ErrorIs(t, err, job.ErrFull)
	require.ErrorContains(t, err, "remove sweeps that have ended")
	r.ID = "s-0"
	require.ErrorIs(t, s.Create(t.Context(), r, 50_000), job.ErrConflict)
}
