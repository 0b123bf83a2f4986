package embedded

import (
	"fmt"
	"strings"

	"github.com/rs/zerolog"
)

// logger writes the server's log to the program's log. A notice of the server becomes a
// debug line. A fatal error of the server becomes an error, and does not end the process.
type logger struct {
	log   zerolog.Logger
	fatal chan<- string // capacity 1: the first fatal error
}

func (l logger) Noticef(f string, v ...any) { l.log.Debug().Msgf(trim(f), v...) }
func (l logger) Warnf(f string, v ...any)   { l.log.Warn().Msgf(trim(f), v...) }
func (l logger) Errorf(f string, v ...any)  { l.log.Error().Msgf(trim(f), v...) }
func (l logger) Debugf(f string, v ...any)  { l.log.Trace().Msgf(trim(f), v...) }
func (l logger) Tracef(f string, v ...any)  { l.log.Trace().Msgf(trim(f), v...) }

// Fatalf receives the reason why the server cannot continue. The server then shuts itself
// down.
func (l logger) Fatalf(f string, v ...any) {
	l.log.Error().Msgf(trim(f), v...)
	select {
	case l.fatal <- fmt.Sprintf(trim(f), v...):
	default:
	}
}

func trim(format string) string { return strings.TrimSpace(format) }
