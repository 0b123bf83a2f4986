package embedded

import (
	"fmt"
	"strings"

	"github.com/rs/zerolog"
)

// logger gives the server's log to ours. What the server calls a notice is
// detail to us; a fatal error of the server is an error, and ends nothing.
type logger struct {
	log   zerolog.Logger
	fatal chan<- string // capacity 1: the first fatal error
}

func (l logger) Noticef(f string, v ...any) { l.log.Debug().Msgf(trim(f), v...) }
func (l logger) Warnf(f string, v ...any)   { l.log.Warn().Msgf(trim(f), v...) }
func (l logger) Errorf(f string, v ...any)  { l.log.Error().Msgf(trim(f), v...) }
func (l logger) Debugf(f string, v ...any)  { l.log.Trace().Msgf(trim(f), v...) }
func (l logger) Tracef(f string, v ...any)  { l.log.Trace().Msgf(trim(f), v...) }

// Fatalf is told why the server cannot go on; it then shuts itself down.
func (l logger) Fatalf(f string, v ...any) {
	l.log.Error().Msgf(trim(f), v...)
	select {
	case l.fatal <- fmt.Sprintf(trim(f), v...):
	default:
	}
}

func trim(format string) string { return strings.TrimSpace(format) }
