// Package telemetry is how a program shows what it is doing: its log, its
// metrics, its health, and which build of it is running.
//
// It owns their set-up and the small HTTP server behind /healthz, /readyz and
// /metrics. What is logged and measured is decided where it happens. Both
// programs' run packages call it.
//
// Invariant: nothing here is in the path from data to parameters; a program
// computes the same with all of it turned off.
package telemetry

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"tributary/shared/job"
)

// LogFormats are the allowed values of LogConfig.Format.
var LogFormats = []string{"auto", "pretty", "json"}

// LogLevels are the allowed values of LogConfig.Level, most talkative first.
var LogLevels = []string{"trace", "debug", "info", "warn", "error", "disabled"}

// LogConfig says what is logged and how it looks.
type LogConfig struct {
	Level   string // one of LogLevels; empty: info
	Format  string // one of LogFormats; empty or auto: pretty on a terminal, else json
	Program string // coordinator or worker; a field of every line when not empty
}

// NewLogger returns a logger that writes lines to w, which is standard error
// in a program. w must be safe for concurrent use, as a file is. Of warnings and
// errors with one level and one message it writes 20 in 10 s; the field suppressed of
// the next one says how many it left out.
func NewLogger(w io.Writer, isTTY bool, c LogConfig) (zerolog.Logger, error) {
	level, err := oneOf("log level", c.Level, "info", LogLevels)
	if err != nil {
		return zerolog.Nop(), err
	}
	format, err := oneOf("log format", c.Format, "auto", LogFormats)
	if err != nil {
		return zerolog.Nop(), err
	}
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), fmt.Errorf("log level: %w", err)
	}
	if format == "pretty" || format == "auto" && isTTY {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !isTTY, TimeFormat: time.TimeOnly}
	}
	lines := zerolog.New(w).Level(parsed).With().Timestamp()
	if c.Program != "" {
		lines = lines.Str("program", c.Program)
	}
	return lines.Logger().Hook(newRepeats()), nil
}

// oneOf checks a setting against its allowed values.
func oneOf(field, value, byDefault string, allowed []string) (string, error) {
	if value == "" {
		return byDefault, nil
	}
	if !slices.Contains(allowed, value) {
		return "", fmt.Errorf("%s %.40q: want one of %s: %w", field, value, strings.Join(allowed, ", "), job.ErrInvalid)
	}
	return value, nil
}
