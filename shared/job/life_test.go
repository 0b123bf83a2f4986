package job

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts in testdata with what happens now")

// TestTranscripts plays testdata/life/*.txt. "> request" makes a request, and "= state"
// is a state to which a coordinator brings the job. The indented lines are the answer and
// the job after it. After -rewrite, read the diff.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/life/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := play(t, string(want))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(want), got)
		})
	}
}

func play(t *testing.T, transcript string) string {
	t.Helper()
	var out strings.Builder
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := Record{ID: "j", State: Submitted}
	for line := range strings.Lines(transcript) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "  "):
			continue // the expected lines, which are checked
		case strings.HasPrefix(line, "> "):
			now = now.Add(time.Second)
			changed, err := r.Ask(Request(line[2:]), now)
			fmt.Fprintln(&out, line)
			switch {
			case err != nil:
				require.ErrorIs(t, err, ErrConflict)
				fmt.Fprintf(&out, "  no: %s\n", Sentence(err))
			case !changed:
				fmt.Fprintln(&out, "  nothing changes")
			}
		case strings.HasPrefix(line, "= "):
			bring(t, &r, State(line[2:]), now)
			fmt.Fprintln(&out, line)
		default:
			if line == "" {
				r = Record{ID: "j", State: Submitted}
			}
			fmt.Fprintln(&out, line)
			continue
		}
		fmt.Fprintf(&out, "  [%s]\n", describe(&r))
	}
	return out.String()
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
