// Package fleet runs Tributary as it is deployed, for measurements: real servers, worker
// processes, and jobs that the coordinator's command trains.
//
// It owns the processes and the measurement of what they use of the machine. The
// benchmark programs next to it call it. It does not know what they compare.
//
// Invariant: every program listens only on the loopback, on free ports. All data is in
// one temporary folder, which is removed when the lab is closed.
package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Lab is the built programs and a folder for their data.
type Lab struct {
	Root string // the repository's folder, from which specs name their data
	bin  string
	temp string
}

// NewLab builds the programs. If bin is not empty, it uses the programs in bin instead.
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

// repository returns the folder of the current module.
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

// Dir creates a new folder that Close removes.
func (l *Lab) Dir() (string, error) { return os.MkdirTemp(l.temp, "") }

// Close removes everything that the lab has created.
func (l *Lab) Close() { _ = os.RemoveAll(l.temp) } // a folder left in the system's own for such
