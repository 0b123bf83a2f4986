// Package postgrestest starts PostgreSQL servers for tests: those of Debian's package
// postgresql, or those in PATH.
//
// It owns the server processes, which end with the test that started them. Tests that need
// a database call it.
//
// Invariant: a server keeps its data in the test's own folder, listens only on the loopback
// interface, and runs as a user without rights.
package postgrestest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// The user of the server, who owns the database, and the password.
const (
	User     = "tester"
	Password = "Mark3dHead/Mark3dTail"
	Database = "postgres"
)

// Server is a PostgreSQL server.
type Server struct {
	Addr string // host:port
	// Source is the address of the database, without the password.
	Source string
}

// Start starts a server that wants the password. If none is installed, it returns nil and
// logs that. Where the environment has CI set, it fails the test instead.
func Start(t testing.TB) *Server {
	t.Helper()
	bin := folder()
	if bin == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("postgrestest: CI needs PostgreSQL (Debian: postgresql)")
		}
		t.Log("postgrestest: no PostgreSQL is installed (Debian: postgresql): nothing is tested with it")
		return nil
	}
	home, err := os.MkdirTemp("", "postgrestest-*") //nolint:usetesting // t.TempDir lies in a folder of the test's user
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	secret := filepath.Join(home, "password")
	require.NoError(t, os.WriteFile(secret, []byte(Password+"\n"), 0o600))
	attributes := &syscall.SysProcAttr{}
	if os.Getuid() == 0 { // the server refuses to run as root
		const nobody = 65534
		attributes.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		require.NoError(t, os.Chown(home, nobody, nobody))
		require.NoError(t, os.Chown(secret, nobody, nobody))
	}
	data := filepath.Join(home, "data")
	setup := exec.CommandContext(t.Context(), filepath.Join(bin, "initdb"), "-D", data, "-U", User, "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N")
	setup.Dir, setup.SysProcAttr = home, attributes
	out, err := setup.CombinedOutput()
	require.NoError(t, err, "%s", out)
	const attempts = 5 // another process may take the port before the server does
	for range attempts {
		if s := start(t, bin, home, data, attributes); s != nil {
			return s
		}
	}
	t.Fatalf("postgrestest: no server came up in %d attempts", attempts)
	return nil
}

// folder returns the folder of the server's programs, or "".
func folder() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well-formed
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[0])
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0 for a name that is no number
	return n
}

// start starts the server at a free port and waits until it accepts connections.
func start(t testing.TB, bin, home, data string, attributes *syscall.SysProcAttr) *Server {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	require.NoError(t, err)
	addr := l.Addr().(*net.TCPAddr)
	require.NoError(t, l.Close())
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(addr.Port), "-k", "", "-F") //nolint:noctx // the cleanup ends it
	cmd.Dir, cmd.SysProcAttr = home, attributes
	said, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "ready to accept connections") {
			done := make(chan struct{})
			go func() {
				defer close(done)
				for lines.Scan() { // so that the pipe never fills
					continue
				}
				_ = cmd.Wait() // it was interrupted
			}()
			t.Cleanup(func() {
				_ = cmd.Process.Signal(syscall.SIGINT) // its fast shutdown
				<-done
			})
			u := url.URL{Scheme: "postgres", User: url.User(User), Host: addr.String(), Path: Database}
			return &Server{Addr: addr.String(), Source: u.String()}
		}
	}
	_ = cmd.Wait() // it ended by itself
	return nil
}

// Exec runs statements.
func (s *Server) Exec(t testing.TB, statements string) {
	t.Helper()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(User, Password), Host: s.Addr, Path: Database}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, u.String())
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.PgConn().Exec(ctx, statements).ReadAll()
	require.NoError(t, err, fmt.Sprintf("%.200s", statements))
}
