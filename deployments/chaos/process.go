package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// process is a running program. Its methods may be called after its end.
type process struct {
	cmd  *exec.Cmd
	once sync.Once
}

// spawn starts a program in the repository's folder, its output going to log.
func spawn(ctx context.Context, log io.Writer, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(ctx), program, args...)}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	return p, nil
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) } // it may be gone already

// end sends a signal and waits for the process to be gone.
func (p *process) end(s os.Signal) {
	p.once.Do(func() {
		p.signal(s)
		_ = p.cmd.Wait() // how it ended does not matter
	})
}

func (p *process) kill() { p.end(syscall.SIGKILL) }

// lab is what all scenarios share: the programs, and a folder for what fails.
type lab struct {
	bin, logs, temp string
}

// newLab builds the programs.
func newLab(ctx context.Context, logs string) (*lab, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("redis-server is needed: %w", err)
	}
	temp, err := os.MkdirTemp("", "tributary-chaos-")
	if err != nil {
		return nil, err
	}
	l := &lab{bin: filepath.Join(temp, "bin"), logs: logs, temp: temp}
	if l.logs == "" {
		l.logs = filepath.Join(temp, "failed")
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", l.bin+"/", "./coordinator", "./worker", "github.com/nats-io/nats-server/v2")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		l.close()
		return nil, fmt.Errorf("build the programs (is this the repository's folder?): %w: %s", err, out)
	}
	return l, nil
}

// close removes everything but the logs of failed scenarios.
func (l *lab) close() {
	_ = os.RemoveAll(l.bin)
	_ = os.Remove(l.temp) // stays when it holds logs
}
