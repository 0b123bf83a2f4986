package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Servers says how many servers of each kind there are: 1, or a cluster of 3.
type Servers struct{ NATS, Redis int }

// nats starts n nats-servers and returns the URLs of all.
func (f *Fleet) nats(ctx context.Context, n int) (string, error) {
	ports, err := freePorts(ctx, 3*n)
	if err != nil {
		return "", err
	}
	var routes, urls []string
	for i := range n {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[n+i]))
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
	}
	conf := filepath.Join(f.dir, "nats.conf")
	if err := os.WriteFile(conf, []byte("max_payload: 8MB\n"), 0o600); err != nil {
		return "", err
	}
	for i := range n {
		args := []string{
			"-c", conf, "-js", "-a", "127.0.0.1", "-p", strconv.Itoa(ports[i]),
			"-sd", filepath.Join(f.dir, "nats-"+strconv.Itoa(i)), "-n", "bench-" + strconv.Itoa(i),
			"-m", strconv.Itoa(ports[2*n+i]),
		}
		if n > 1 {
			args = append(args, "--cluster_name", "bench", "--cluster", routes[i], "--routes", strings.Join(routes, ","))
		}
		p, err := f.lab.spawn(ctx, f.lab.program("nats-server"), args...)
		if err != nil {
			return "", err
		}
		f.Servers = append(f.Servers, p)
	}
	for i, p := range f.Servers[len(f.Servers)-n:] {
		monitor := ports[2*n+i]
		err := until(ctx, func() error {
			if err := ready(ctx, monitor, "/healthz"); err != nil || n == 1 {
				return err
			}
			return led(ctx, monitor, n)
		})
		if err != nil {
			return "", fmt.Errorf("nats-server does not come up: %w: %s", err, p.log.String())
		}
	}
	return strings.Join(urls, ","), nil
}

// led checks at one node of a NATS cluster whether JetStream has a leader among n nodes.
func led(ctx context.Context, monitor, n int) error {
	answer, err := get(ctx, monitor, "/jsz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var state struct {
		Meta struct {
			Leader string `json:"leader"`
			Size   int    `json:"cluster_size"`
		} `json:"meta_cluster"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&state); err != nil {
		return err
	}
	if state.Meta.Leader == "" || state.Meta.Size != n {
		return fmt.Errorf("JetStream has leader %q of %d servers: want one of %d", state.Meta.Leader, state.Meta.Size, n)
	}
	return nil
}

// redis starts n redis-servers and returns the URL of the first. Several servers form a
// cluster.
func (f *Fleet) redis(ctx context.Context, n int) (string, error) {
	ports, err := freePorts(ctx, 2*n)
	if err != nil {
		return "", err
	}
	var addresses []string
	for i := range n {
		dir := filepath.Join(f.dir, "redis-"+strconv.Itoa(i))
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return "", err
		}
		args := []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(ports[i]), "--dir", dir, "--save", "", "--maxmemory-policy", "noeviction"}
		if n > 1 {
			args = append(args, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(ports[n+i]))
		}
		p, err := f.lab.spawn(ctx, "redis-server", args...)
		if err != nil {
			return "", err
		}
		f.Servers = append(f.Servers, p)
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", ports[i]))
		if err := answering(ctx, p, addresses[i]); err != nil {
			return "", err
		}
	}
	if n > 1 {
		if err := join(ctx, addresses); err != nil {
			return "", err
		}
	}
	return "redis://" + addresses[0], nil
}

// join makes servers a cluster and waits until every one takes part in it.
func join(ctx context.Context, addresses []string) error {
	args := append([]string{"--cluster", "create"}, addresses...)
	if out, err := exec.CommandContext(ctx, "redis-cli", append(args, "--cluster-yes")...).CombinedOutput(); err != nil {
		return fmt.Errorf("make a Redis cluster: %w: %s", err, out)
	}
	for _, a := range addresses {
		_, port, _ := net.SplitHostPort(a)
		err := until(ctx, func() error {
			out, err := exec.CommandContext(ctx, "redis-cli", "-p", port, "cluster", "info").CombinedOutput()
			if err == nil && !strings.Contains(string(out), "cluster_state:ok") {
				err = fmt.Errorf("its state is not ok: %.60s", out)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("redis cluster node %s: %w", a, err)
		}
	}
	return nil
}

// startPatience is the timeout for the start of a server.
const startPatience = 20 * time.Second

// until repeats f until it succeeds or startPatience has passed.
func until(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return nil
		}
		if Wait(ctx, 20*time.Millisecond) != nil {
			return err
		}
	}
}

// answering waits until a program listens at the address.
func answering(ctx context.Context, p *Process, address string) error {
	err := until(ctx, func() error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		return fmt.Errorf("%s does not come up: %w: %s", filepath.Base(p.cmd.Path), err, p.log.String())
	}
	return nil
}

// freePorts returns n different ports that nothing listens on.
func freePorts(ctx context.Context, n int) ([]int, error) {
	if n == 0 {
		return nil, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	others, err := freePorts(ctx, n-1)
	return append(others, l.Addr().(*net.TCPAddr).Port), err
}
