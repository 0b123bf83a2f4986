// Package fleet runs Tributary as it is deployed, for measurements: real
// servers, worker processes, and jobs trained by the coordinator's command.
//
// It owns processes and what they have used of the machine. The benchmarks'
// programs beside it call it; it knows nothing of what they compare.
//
// Invariant: everything listens on the loopback alone, on free ports, keeps
// its data in one temporary folder, and is gone when the lab is closed.
package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Lab is the built programs and a folder for what they store.
type Lab struct {
	Root string // the repository's folder, from which specs name their data
	bin  string
	temp string
}

// NewLab builds the programs, or takes them from bin when it is not empty.
func NewLab(ctx context.Context, bin string) (*Lab, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("redis-server is needed (Debian: redis-server): %w", err)
	}
	root, err := repository(ctx)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "tributary-bench-")
	if err != nil {
		return nil, err
	}
	l := &Lab{Root: root, bin: bin, temp: temp}
	packages := []string{"github.com/nats-io/nats-server/v2"}
	if bin == "" {
		l.bin = filepath.Join(temp, "bin")
		packages = append(packages, "./coordinator", "./worker")
	} else if l.bin, err = filepath.Abs(bin); err != nil {
		return nil, err
	}
	if bin == "" || !exists(l.program("nats-server")) {
		if err := l.build(ctx, packages); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

// repository is the folder of the module that is run in.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "tributary").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository (is this its folder?): %w", err)
	}
	return string(out[:len(out)-1]), nil
}

func (l *Lab) build(ctx context.Context, packages []string) error {
	c := exec.CommandContext(ctx, "go", append([]string{"build", "-o", l.bin + "/"}, packages...)...)
	c.Dir, c.Env = l.Root, append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+runtime.GOARCH)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w: %s", err, out)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (l *Lab) program(name string) string { return filepath.Join(l.bin, name) }

// Dir makes a new folder that is removed with the lab.
func (l *Lab) Dir() (string, error) { return os.MkdirTemp(l.temp, "") }

// Close removes everything the lab has made.
func (l *Lab) Close() { _ = os.RemoveAll(l.temp) } // a folder left in the system's own for such
