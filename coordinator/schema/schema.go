// Package schema is the schema command.
//
// It owns nothing but the printing; the schema is made by package spec.
//
// Invariant: it prints what jobs.schema answers.
package schema

import (
	"os"

	"tributary/shared/spec"
)

// Command has no settings.
type Command struct{}

// Run prints the schema to standard output.
func (c *Command) Run() error {
	_, err := os.Stdout.Write(spec.Schema())
	return err
}
