// Package telemetry shows what a program is doing: its log, its metrics, its health, and
// which build is running.
//
// It owns the set-up of these and the small HTTP server behind /healthz, /readyz and
// /metrics. Other packages decide what they log and measure. The serve packages of both
// programs call it.
//
// Invariant: no computed result depends on this package. A program computes the same
// bytes with all of it turned off.
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

// LogLevels are the allowed values of LogConfig.Level; the level that logs most comes
// first.
var LogLevels = []string{"trace", "debug", "info", "warn", "error", "disabled"}

// LogConfig says what is logged and in which format.
type LogConfig struct {
	Level   string // one of LogLevels; empty: info
	Format  string // one of LogFormats; empty or auto: pretty on a terminal, else json
	Program string // coordinator or worker; a field of every line when not empty
}

// NewLogger returns a logger that writes lines to w; in a program w is standard error. w
// must be safe for concurrent use, as a file is. The logger writes at most 20 warnings or
// errors with the same level and message in 10 s. The field suppressed of the next such
// line says how many lines were left out.
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
