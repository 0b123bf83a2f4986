package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"tributary/shared/job"
)

// facts are what a server reports about itself. What it does not report is empty.
type facts struct {
	addr     string
	embedded bool   // miniredis: it never evicts keys and reports nothing
	version  string // version of Redis, or the version with which Valkey is compatible
	cluster  bool
	policy   string // maxmemory-policy
}

const (
	wantedPolicy = "noeviction"
	oldestMajor  = 6
	oldestMinor  = 2
)

// inspect asks a server for its facts. The server must only answer a PING: managed servers
// forbid CONFIG, and some forbid INFO.
func inspect(ctx context.Context, node goredis.UniversalClient) (facts, error) {
	f := facts{addr: address(node)}
	if err := node.Ping(ctx).Err(); err != nil {
		if goredis.IsAuthError(err) || goredis.IsPermissionError(err) {
			return f, fmt.Errorf("redis at %s does not accept this user and password; correct the programs' Redis settings or the server's users: %w: %w", f.addr, err, job.ErrInvalid)
		}
		return f, err
	}
	if hello, err := node.Do(ctx, "HELLO").Result(); err == nil {
		f.embedded = strings.Contains(fmt.Sprint(hello), "miniredis")
	}
	server := info(ctx, node, "server")
	f.version = server["redis_version"]
	f.cluster = server["redis_mode"] == "cluster"
	if asked, err := node.ConfigGet(ctx, "maxmemory-policy").Result(); err == nil {
		f.policy = asked["maxmemory-policy"]
	}
	if f.policy == "" {
		f.policy = info(ctx, node, "memory")["maxmemory_policy"]
	}
	return f, ctx.Err()
}

// check refuses a server that may evict keys or that lacks commands.
func (f facts) check(log zerolog.Logger) error {
	if tooOld(f.version) {
		return fmt.Errorf("redis at %s has version %s: want %d.%d or newer: %w", f.addr, f.version, oldestMajor, oldestMinor, job.ErrInvalid)
	}
	switch {
	case f.policy == wantedPolicy || f.embedded:
		return nil
	case f.policy == "":
		log.Warn().Str("address", f.addr).Msg("redis does not show its maxmemory-policy: make sure that it is " + wantedPolicy +
			", or redis deletes training state when its memory is full")
		return nil
	default:
		return fmt.Errorf("redis at %s has maxmemory-policy %q, which deletes training state when its memory is full: want %q; "+
			"set it with `redis-cli config set maxmemory-policy %s` and keep it in redis.conf: %w",
			f.addr, f.policy, wantedPolicy, wantedPolicy, job.ErrInvalid)
	}
}

// tooOld reports whether a version is known and older than the oldest supported one.
func tooOld(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	return major < oldestMajor || major == oldestMajor && minor < oldestMinor
}

// info reads a section of INFO. The result is empty when the server does not allow or know
// it.
func info(ctx context.Context, node goredis.UniversalClient, section string) map[string]string {
	text, err := node.Info(ctx, section).Result()
	if err != nil {
		return map[string]string{}
	}
	return fields(text)
}

// fields parses the answer of INFO.
func fields(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

func address(node goredis.UniversalClient) string {
	if c, ok := node.(*goredis.Client); ok {
		return c.Options().Addr
	}
	return "cluster"
}
