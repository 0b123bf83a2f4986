package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tributary/shared/job"
)

// refusal is a reply with which a server refuses a command.
type refusal struct {
	code    string // the reply's first word
	meaning string // what it means, and what a user can do
}

// passing are the refusals that end without a change of settings. They do not mean that the
// job is at fault: they are back-pressure, job.ErrFull.
var passing = []refusal{
	{"OOM", "it is at its maxmemory; raise maxmemory, or cancel jobs"},
	{"READONLY", "it is a read-only replica; wait for the failover, or point the programs at the master"},
	{"NOREPLICAS", "fewer replicas are connected than its min-replicas-to-write demands; start them, or lower the setting"},
	{"MISCONF", "it cannot save to its disk; free disk space and read its log"},
	{"LOADING", "it still loads its data from disk; wait"},
	{"MASTERDOWN", "it is a replica that has lost its master; start the master"},
	{"CLUSTERDOWN", "a master of its cluster is down; start it, or wait for the failover"},
	{"TRYAGAIN", "its cluster moves keys to another server; wait"},
	{"BUSY", "it runs a script that does not end; see SCRIPT KILL"},
	{"ERR max number of clients", "it has no connection left; raise maxclients"},
}

// forbidding are the refusals that end only when a user changes the settings.
var forbidding = []refusal{
	{"NOAUTH", "it wants a user and a password; set them in the programs' Redis settings"},
	{"WRONGPASS", "it does not know this user and password; correct the programs' Redis settings"},
	{"NOPERM", "its ACL does not allow this to the programs' user; allow it with ACL SETUSER"},
}

// classify turns an error of a server or a connection into the class on which the caller
// acts. No other function interprets a server's replies.
func classify(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	err = withoutArguments(err)
	text := err.Error()
	for _, r := range passing {
		if r.matches(text) {
			return fmt.Errorf("redis cannot be written: %s: %w: %w", r.meaning, err, job.ErrFull)
		}
	}
	for _, r := range forbidding {
		if r.matches(text) {
			return fmt.Errorf("redis refuses this program: %s: %w", r.meaning, err)
		}
	}
	return err
}

// matches reports whether a reply is this refusal. If a script called the refused
// command, the code is at the beginning too; in servers before 7.0 it follows a dash.
func (r refusal) matches(text string) bool {
	return strings.HasPrefix(text, r.code+" ") || strings.Contains(text, "-"+r.code+" ")
}

// echo is the text before the arguments in a server's answer to an unknown command. If AUTH
// or HELLO is renamed or missing, the arguments contain the password.
const echo = ", with args beginning with"

// withoutArguments removes the arguments from such an answer. It also shortens a reply that
// the client cannot parse: a server that is not Redis may repeat everything that it
// receives.
func withoutArguments(err error) error {
	text := err.Error()
	if before, _, found := strings.Cut(text, echo); found {
		return errors.New(before)
	}
	if before, _, found := strings.Cut(text, `"`); found && strings.HasPrefix(text, "redis: ") {
		return errors.New(before + "the answer: it is not from Redis; use the address and port of a Redis server")
	}
	return err
}
