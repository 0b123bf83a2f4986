package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
)

// process is a program that was started. Its methods may be called after it has ended.
type process struct {
	cmd    *exec.Cmd
	wanted atomic.Bool   // the tool asked it to end
	done   chan struct{} // closed when it has ended; then cmd.ProcessState is set
	alone  atomic.Bool   // it ended before the tool asked
}

// spawn starts a program in the repository's folder. The program writes its output to
// log.
func spawn(ctx context.Context, log io.Writer, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(ctx), program, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	go func() {
		_ = p.cmd.Wait() // fault reads how it ended
		p.alone.Store(!p.wanted.Load())
		close(p.done)
	}()
	return p, nil
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) } // it may have ended already

// end sends a signal and waits until the process has ended.
func (p *process) end(s os.Signal) {
	p.wanted.Store(true)
	p.signal(s)
	<-p.done
}

// crash is the exit code of a Go program that panics.
const crash = 2

// fault returns how the process ended if it ended by itself or panicked, else "".
func (p *process) fault() string {
	select {
	case <-p.done:
	default:
		return ""
	}
	switch how := p.cmd.ProcessState; {
	case p.alone.Load():
		return fmt.Sprintf("ended by itself: %s", how)
	case how.ExitCode() == crash:
		return fmt.Sprintf("was asked to end and panicked: %s", how)
	default:
		return ""
	}
}

func (p *process) kill() { p.end(syscall.SIGKILL) }

// lab is what all scenarios share: the built programs, and a folder for the logs of
// failed scenarios.
type lab struct {
	bin, logs, temp string
	paces           paces
	once            sync.Once // writes the wide table
	wideErr         error
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
	_ = os.Remove(l.wideFile())
	_ = os.Remove(l.temp) // stays when it holds logs
}
