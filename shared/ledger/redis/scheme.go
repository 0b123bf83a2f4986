package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/access"
	"tributary/shared/job"
)

// permanentFault examines an error of the first connection. If waiting cannot help, it
// returns job.ErrInvalid with a remedy: for a fault of TLS, or for a URL with the wrong
// one of the two schemes.
func permanentFault(ctx context.Context, opts *goredis.UniversalOptions, err error) error {
	if errors.Is(err, job.ErrInvalid) {
		return err
	}
	say := access.TLSFault(err)
	if say == "" && len(opts.Addrs) > 0 {
		say = wrongScheme(ctx, opts.Addrs[0], opts.TLSConfig != nil)
	}
	if say == "" {
		return err
	}
	return fmt.Errorf("%s: %w: %w", say, err, job.ErrInvalid)
}

// schemeTimeout is the timeout of wrongScheme.
const schemeTimeout = time.Second

// wrongScheme checks whether a server speaks TLS although the URL says that it does not, or
// the other way round. It returns what a user can do, or "". Callers use it after a failed
// connection: such a server only closes the connection, or waits for more data, so the
// error does not say why.
func wrongScheme(ctx context.Context, addr string, secure bool) string {
	if strings.HasPrefix(addr, "/") {
		return "" // a Unix socket
	}
	ctx, cancel := context.WithTimeout(ctx, schemeTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return ""
		}
	}
	switch {
	case secure && speaksPlain(conn):
		return "the server does not use TLS at this address; use redis:// in the URL, or the server's port for TLS"
	case !secure && speaksTLS(ctx, conn):
		return "the server uses TLS at this address; use rediss:// in the URL, or the server's port without TLS"
	default:
		return ""
	}
}

// speaksTLS starts a TLS handshake. A server that requires a certificate or another name
// refuses it with an alert, and also counts.
func speaksTLS(ctx context.Context, conn net.Conn) bool {
	err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) // nothing is sent over it
	remote, ok := errors.AsType[*net.OpError](err)
	return err == nil || ok && remote.Op == "remote error"
}

// speaksPlain sends a command that every Redis server answers, if only with an error.
func speaksPlain(conn net.Conn) bool {
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && (strings.HasPrefix(answer, "+PONG") || strings.HasPrefix(answer, "-"))
}
