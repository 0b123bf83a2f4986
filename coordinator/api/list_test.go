package api_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/api"
	"tributary/shared/job"
)

func TestListGoesThroughAnyNumberOfJobsInPages(t *testing.T) {
	const many = 12_345
	f := newFixture()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range many {
		_, err := f.records.Create(t.Context(), job.Record{
			ID: job.ID(fmt.Sprintf("job-%05d", i)), State: job.Succeeded, Created: began.Add(time.Duration(i/3) * time.Second),
		})
		require.NoError(t, err)
	}
	var all []api.Listed
	for request := "{}"; ; {
		got, err := f.List(t.Context(), []byte(request))
		require.NoError(t, err)
		if len(got["jobs"]) == 0 {
			break
		}
		all = append(all, got["jobs"]...)
		request = fmt.Sprintf(`{"before":%q}`, all[len(all)-1].ID)
	}
	require.Len(t, all, many)
	for i := range all[1:] {
		newer := all[i].Created.After(all[i+1].Created) || all[i].Created.Equal(all[i+1].Created) && all[i].ID < all[i+1].ID
		require.True(t, newer, "%s before %s", all[i].ID, all[i+1].ID)
	}
	got, err := f.List(t.Context(), []byte(`{"limit":2,"before":"job-12339"}`))
	require.NoError(t, err)
	require.Len(t, got["jobs"], 2)
	require.EqualValues(t, "job-12340", got["jobs"][0].ID, "submitted in the same second")
	require.EqualValues(t, "job-12341", got["jobs"][1].ID)
}

func TestListSaysWhatIsWrong(t *testing.T) {
	f := newFixture()
	for request, want := range map[string]string{
		`{"limit":0}`:       "limit: 0: want an integer from 1 to 1000",
		`{"limit":-1}`:      "limit: -1: want an integer from 1 to 1000",
		`{"limit":1001}`:    "limit: 1001: want an integer from 1 to 1000",
		`{"limit":"all"}`:   "request: ",
		`{"after":"x"}`:     `unknown field "after"`,
		`anything`:          `"anything" is not a JSON object`,
		`[1]`:               `"[1]" is not a JSON object`,
		`null`:              `"null" is not a JSON object`,
		`{"limit":1}{}`:     "text follows the JSON object; want one object only",
		`{"before":"none"}`: `before: there is no job "none"`,
	} {
		_, err := f.List(t.Context(), []byte(request))
		require.ErrorContains(t, err, want, request)
		require.True(t, errors.Is(err, job.ErrInvalid) || errors.Is(err, job.ErrNotFound), request)
	}
	f.records.fails = fmt.Errorf("decode: %w", job.ErrCorrupt)
	_, err := f.List(t.Context(), nil)
	require.NoError(t, err, "a record that cannot be decoded hides no other")
	f.records.fails = errors.New("the connection is gone")
	_, err = f.List(t.Context(), nil)
	require.ErrorIs(t, err, f.records.fails, "a list that is not whole is none")
}
