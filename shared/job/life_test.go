package job

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/transcript"
)

// TestTranscripts plays testdata/life/*.txt. "> request" makes a request, and "= state"
// is a state to which a coordinator brings the job. The answers are what the request
// returns and the job after it. An empty line begins with a new job.
func TestTranscripts(t *testing.T) {
	transcript.Run(t, "testdata/life/*.txt", func(t *testing.T) func(string) []string {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		r := Record{ID: "j", State: Submitted}
		return func(line string) (answers []string) {
			request, requested := strings.CutPrefix(line, "> ")
			state, brought := strings.CutPrefix(line, "= ")
			switch {
			case requested:
				now = now.Add(time.Second)
				changed, err := r.Ask(Request(request), now)
				switch {
				case err != nil:
					require.ErrorIs(t, err, ErrConflict)
					answers = append(answers, "no: "+Sentence(err))
				case !changed:
					answers = append(answers, "nothing changes")
				}
			case brought:
				bring(t, &r, State(state), now)
			default:
				if line == "" {
					r = Record{ID: "j", State: Submitted}
				}
				return nil
			}
			return append(answers, "["+describe(&r)+"]")
		}
	})
}

// bring changes a record as a coordinator does on the way to a state.
func bring(t *testing.T, r *Record, to State, now time.Time) {
	t.Helper()
	r.State = to
	switch to {
	case Preparing:
		r.Started = &now
	case Running:
		r.Plan = "p"
	case Succeeded, Failed, Cancelled:
		r.Finished = &now
		if to == Failed {
			r.Error = "why"
		}
	case "released":
		r.State, r.Released = Cancelled, true
	case Submitted, Paused:
		require.Fail(t, "no coordinator does this", to)
	}
}

func describe(r *Record) string {
	var s strings.Builder
	s.WriteString(string(r.State))
	for _, flag := range []struct {
		is   bool
		name string
	}{
		{r.Finished != nil, "finished"}, {r.Error != "", "with an error"}, {r.Released, "released"}, {r.Removing, "removing"},
	} {
		if flag.is {
			s.WriteString(", " + flag.name)
		}
	}
	if r.Resumed > 0 {
		fmt.Fprintf(&s, ", resumed %d", r.Resumed)
	}
	return s.String()
}

func TestAnUnknownRequestIsInvalid(t *testing.T) {
	r := Record{ID: "j", State: Running}
	_, err := r.Ask("explode", time.Time{})
	require.ErrorIs(t, err, ErrInvalid)
	require.Equal(t, Record{ID: "j", State: Running}, r)
}
