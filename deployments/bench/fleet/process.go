package fleet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a program that was started. Its methods may be called after it has ended.
type Process struct {
	Name string // of the program
	cmd  *exec.Cmd
	log  tail
	once sync.Once
}

// tail keeps the end of a program's output.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailBytes):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}

// spawn starts a program in the repository's folder. The program goes on when ctx ends;
// its owner must end it.
func (l *Lab) spawn(ctx context.Context, program string, args ...string) (*Process, error) {
	p := &Process{Name: filepath.Base(program), cmd: exec.CommandContext(context.WithoutCancel(ctx), program, args...)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = l.Root, &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	return p, nil
}

// End asks the program to stop, kills it after ten seconds, and returns when it has
// ended.
func (p *Process) End() {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		kill := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
		defer kill.Stop()
		_ = p.cmd.Wait() // the exit status does not matter
	})
}

// Kill ends the program at once, like kill -9, and returns when it has ended.
func (p *Process) Kill() {
	p.once.Do(func() {
		_ = p.cmd.Process.Kill() // it may have ended already
		_ = p.cmd.Wait()
	})
}

// proc reads a file in /proc about the running program.
func (p *Process) proc(name string) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name))
	if err != nil {
		return ""
	}
	return string(data)
}

// ticks is the kernel's unit of processor time in /proc, 1/100 s on Linux.
const ticks = 100

// CPU returns the processor time that the running program has used, in seconds.
func (p *Process) CPU() float64 {
	_, after, _ := strings.Cut(p.proc("stat"), ") ") // the name may contain spaces
	f := strings.Fields(after)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / ticks
}

// PeakRSS returns the largest resident memory of the running program so far, in bytes.
func (p *Process) PeakRSS() int64 { return highWater(p.proc("status")) }

// highWater reads VmHWM out of /proc/…/status.
func highWater(status string) int64 {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// OwnPeakRSS returns the largest resident memory of this process so far, in bytes.
func OwnPeakRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return highWater(string(status))
}
