package extend_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/extend"
	"tributary/shared/blob"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/spec"
)

// record stores the plan of a job and returns its record.
func record(t *testing.T, store blob.Store, id job.ID, text string) job.Record {
	t.Helper()
	p := gradienttest.Job{Spec: text}.Plan(t, store)
	data, digest, err := p.Encode()
	require.NoError(t, err)
	_, err = store.Put(t.Context(), data)
	require.NoError(t, err)
	s, err := spec.Decode([]byte(text))
	require.NoError(t, err)
	canonical, _, err := spec.Canonical(s)
	require.NoError(t, err)
	return job.Record{ID: id, Plan: digest, Spec: canonical}
}

// A job is the one that was asked for if it has exactly so many epochs more, also if its
// length is in steps: 50 rows in batches of 16 are 4 steps an epoch.
func TestSameJob(t *testing.T) {
	for length, longer := range map[string]string{"epochs: 4": "epochs: 6", "steps: 10": "steps: 18"} {
		store := blob.NewMemory(0)
		text := strings.Replace(gradienttest.Regression, "epochs: 4", length, 1)
		old := record(t, store, "old", text)
		going := func(from job.ID) string {
			return strings.Replace(text, length, longer, 1) + fmt.Sprintf("continue: {job: %s, plan: %s, steps: 4}\n", from, old.Plan)
		}
		for _, c := range []struct {
			text   string
			epochs int
			want   bool
		}{
			{going("old"), 2, true},
			{going("old"), 1, false},
			{going("old"), 3, false},
			{going("other"), 2, false},
			{strings.Replace(text, length, longer, 1), 2, false},
		} {
			got, err := extend.Same(t.Context(), store, record(t, store, "new", c.text), old, c.epochs)
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%s, %d epochs more", longer, c.epochs)
		}
	}
}
