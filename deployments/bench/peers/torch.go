package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tributary/deployments/bench/fleet"
)

// python is Debian's Python: its packages are the peer.
const python = "/usr/bin/python3"

var packages = []string{"python3", "python3-torch", "python3-numpy", "libopenblas0-pthread", "libopenblas0-openmp"}

// install installs PyTorch if it is missing.
func install(ctx context.Context) error {
	var missing []string
	for _, p := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", p).Output()
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("the peer is Debian's PyTorch, and this system is not Debian: use --only tributary to measure only Tributary")
		}
		if err != nil || string(out) != "installed" {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("packages are missing, and only root can install them: apt-get install --no-install-recommends %s", strings.Join(missing, " "))
	}
	fmt.Fprintln(os.Stderr, "installing", strings.Join(missing, ", "))
	for _, args := range [][]string{{"update", "-qq"}, append([]string{"install", "-qq", "-y", "--no-install-recommends"}, missing...)} {
		c := exec.CommandContext(ctx, "apt-get", args...)
		c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}

// environment returns this process's environment without variables that tune OpenBLAS. It
// sets the number of threads, and the kernels for core; if core is empty, OpenBLAS
// chooses them.
//
// For two threads it selects the build for OpenMP. The threads of the pthread build must
// wait behind those of OpenMP, which spin (3 to 20 times slower).
func environment(threads int, mnist, core string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "OPENBLAS_") || strings.HasPrefix(v, "LD_LIBRARY_PATH=")
	})
	n := strconv.Itoa(threads)
	env = append(env, "OMP_NUM_THREADS="+n, "OPENBLAS_NUM_THREADS="+n, "GLOO_SOCKET_IFNAME=lo", "TRIBUTARY_MNIST="+mnist)
	if core != "" {
		env = append(env, "OPENBLAS_CORETYPE="+core)
	}
	if threads > 1 {
		if found, err := filepath.Glob("/usr/lib/*/openblas-openmp"); err == nil && len(found) > 0 {
			env = append(env, "LD_LIBRARY_PATH="+found[0])
		}
	}
	return env
}

// script runs PyTorch.
func (k configuration) script(ctx context.Context, lab *fleet.Lab) (*run, error) {
	t := k.torch
	args := append([]string{"torch_peer.py"}, t.args...)
	if t.sync != "" {
		launch := []string{"torchrun.py", "--rdzv_backend=c10d", "--rdzv_endpoint=127.0.0.1:0", "--monitor_interval=0.5", "--nproc_per_node=" + strconv.Itoa(t.processes)}
		args = append(append(launch, args...), "--sync", t.sync)
	}
	c := exec.CommandContext(ctx, python, args...)
	c.Dir = filepath.Join(lab.Root, "deployments", "bench", "peers")
	c.Env = append(environment(t.threads, filepath.Join(lab.Root, "deployments", "data", "mnist"), t.core), "PYTHONDONTWRITEBYTECODE=1")
	var out, log bytes.Buffer
	c.Stdout, c.Stderr = &out, &log
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("python3 %s: %w: %.2000s", args[0], err, log.String())
	}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "{") {
			var r run
			return &r, json.Unmarshal([]byte(line), &r)
		}
	}
	return nil, fmt.Errorf("python3 %s printed no result: %.2000s", args[0], log.String())
}
