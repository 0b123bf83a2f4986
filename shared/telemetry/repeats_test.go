package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// clocked returns a logger whose repetitions are limited by the test's own clock.
func clocked(out *bytes.Buffer) (zerolog.Logger, *repeats, *time.Time) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := newRepeats()
	r.now = func() time.Time { return now }
	return zerolog.New(out).Hook(r), r, &now
}

func TestAFaultThatRecursIsLoggedTwentyTimesInTenSeconds(t *testing.T) {
	var out bytes.Buffer
	log, _, now := clocked(&out)
	child := log.With().Str("job", "j").Logger()
	for i := range 1000 {
		child.Warn().Int("i", i).Msg("the ledger is away")
	}
	require.Equal(t, 20, strings.Count(out.String(), "\n"))
	log.Warn().Msg("another fault")
	log.Error().Msg("the ledger is away")
	require.Equal(t, 22, strings.Count(out.String(), "\n"), "another message, and another level")
	require.NotContains(t, out.String(), "suppressed")

	out.Reset()
	*now = now.Add(10 * time.Second)
	for range 1000 {
		log.Warn().Msg("the ledger is away")
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 20)
	var first map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.Equal(t, map[string]any{"level": "warn", "suppressed": 980.0, "message": "the ledger is away"}, first)
	require.NotContains(t, lines[1], "suppressed")
}

func TestWhatIsNoFaultIsNotLimited(t *testing.T) {
	var out bytes.Buffer
	log, r, _ := clocked(&out)
	for range 100 {
		log.Info().Msg("job ended")
	}
	require.Equal(t, 100, strings.Count(out.String(), "\n"))
	require.Empty(t, r.seen)
}

func TestOfMessagesThatAreAllDifferentFewAreRemembered(t *testing.T) {
	var out bytes.Buffer
	log, r, now := clocked(&out)
	for range 30 {
		log.Warn().Msg("recurs")
	}
	for i := range 3 * mostRepeated {
		log.Warn().Msg(fmt.Sprintf("message %d", i))
		*now = now.Add(10 * time.Millisecond)
		require.LessOrEqual(t, len(r.seen), mostRepeated)
	}
	require.Equal(t, 20+3*mostRepeated, strings.Count(out.String(), "\n"))
}

func TestTheProgramsLoggerIsLimited(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, false, LogConfig{Program: "worker"})
	require.NoError(t, err)
	for range 10_000 {
		log.Warn().Msg("again")
	}
	require.Less(t, strings.Count(out.String(), "\n"), 10_000)
}
