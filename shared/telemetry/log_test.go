package telemetry

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, false, LogConfig{Program: "worker", Level: "warn"})
	require.NoError(t, err)
	log.Info().Msg("not shown")
	log.Warn().Int64("step", 41).Msg("no worker")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line), out.String())
	require.NotEmpty(t, line["time"])
	delete(line, "time")
	require.Equal(t, map[string]any{"level": "warn", "program": "worker", "step": 41.0, "message": "no worker"}, line)

	for _, c := range []struct {
		tty    bool
		format string
		pretty bool
	}{{true, "", true}, {true, "auto", true}, {true, "json", false}, {false, "auto", false}, {false, "pretty", true}} {
		out.Reset()
		log, err := NewLogger(&out, c.tty, LogConfig{Format: c.format})
		require.NoError(t, err)
		log.Info().Msg("hello")
		require.Equal(t, c.pretty, out.Bytes()[0] != '{', "%+v: %s", c, out.String())
	}
}

func TestLoggerRefuses(t *testing.T) {
	_, err := NewLogger(nil, false, LogConfig{Level: "loud"})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `log level "loud": want one of trace, debug, info, warn, error, disabled`)
	_, err = NewLogger(nil, false, LogConfig{Format: "xml"})
	require.ErrorContains(t, err, `log format "xml": want one of auto, pretty, json`)
}
