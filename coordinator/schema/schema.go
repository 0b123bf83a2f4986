// Package schema is the schema command.
//
// It owns only the output; package spec makes the schema. The coordinator's main package
// runs it.
//
// Invariant: it prints the same schema as the answer of jobs.schema.
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
