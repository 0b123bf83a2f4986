package settings

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Parse parses a program's arguments and environment into cli, as kong.Parse does. Two things differ.
// An environment variable that is set and empty counts as not set, because compose files
// and manifests pass on variables that nobody has set. And an argument that nothing asks for is not
// shown where it may be a secret. It exits with a message when the arguments are wrong.
func Parse(cli any, options ...kong.Option) *kong.Context {
	k, err := kong.New(cli, options...)
	if err != nil {
		panic(err) // the programs' own mistake, as in kong.Parse
	}
	ctx, err := parse(k, os.Args[1:])
	k.FatalIfErrorf(err)
	return ctx
}

func parse(k *kong.Kong, args []string) (*kong.Context, error) {
	if err := unsetEmpty(k.Model.Node); err != nil {
		return nil, err
	}
	ctx, err := k.Parse(args)
	return ctx, withoutArgument(err)
}

// unsetEmpty removes the variables of a command's settings that are empty.
func unsetEmpty(n *kong.Node) error {
	var errs []error
	unset := func(names []string) {
		for _, name := range names {
			if value, set := os.LookupEnv(name); set && value == "" {
				errs = append(errs, os.Unsetenv(name))
			}
		}
	}
	for _, f := range n.Flags {
		unset(f.Envs)
	}
	for _, p := range n.Positional {
		unset(p.Tag.Envs)
	}
	for _, child := range n.Children {
		errs = append(errs, unsetEmpty(child))
	}
	return errors.Join(errs...)
}

// word is a command's or a subject's name: anything else that nothing asks for may be the rest of a
// password with a space in it, or an address.
func word(s string) bool {
	return len(s) <= 16 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") == ""
}

// withoutArgument hides an argument that nothing asks for, unless it is a misspelt command, and a
// value that was taken for a flag.
func withoutArgument(err error) error {
	if err == nil {
		return nil
	}
	if flag, _, found := strings.Cut(err.Error(), ": expected string value but got "); found {
		return fmt.Errorf("%[1]s: expected a value; write %[1]s=VALUE where it begins with a dash", flag)
	}
	rest, found := strings.CutPrefix(err.Error(), "unexpected argument ")
	if argument, _, _ := strings.Cut(rest, ", did you mean "); !found || word(argument) {
		return err
	}
	return errors.New("unexpected argument (hidden, as it may be part of a secret); put a value with spaces in quotes")
}
