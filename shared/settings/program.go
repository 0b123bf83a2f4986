package settings

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Parse parses a program's arguments and environment into cli, as kong.Parse does, with
// two differences. An environment variable that is set but empty counts as not set,
// because compose files and manifests pass on variables that have no value. An unexpected
// argument is not shown in the error if it may be a secret. When the arguments are wrong,
// Parse prints a message and exits.
func Parse(cli any, options ...kong.Option) *kong.Context {
	k, err := kong.New(cli, options...)
	if err != nil {
		panic(err) // a mistake in the program itself, as in kong.Parse
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

// unsetEmpty removes the empty environment variables of a command's settings.
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

// word reports whether s looks like the name of a command or a subject. Any other
// unexpected argument may be an address, or the rest of a password with a space in it.
func word(s string) bool {
	return len(s) <= 16 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") == ""
}

// withoutArgument hides an unexpected argument, unless it is a misspelt command. It also
// hides a value that was parsed as a flag.
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
