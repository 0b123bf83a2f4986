package telemetry

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"tributary/shared/access"
)

// maxHealthAnswer bounds how much of an answer is read, in bytes.
const maxHealthAnswer = 64 << 10

// HealthcheckCommand asks a running program whether it is ready. With it, a container
// without a shell or curl can have a health check.
type HealthcheckCommand struct {
	HTTP string `arg:"" optional:"" name:"address" env:"TRIBUTARY_HTTP" default:"${http}" help:"Where the program answers: host:port or a URL."`
}

// Run fails unless the program answers that it is ready.
func (c *HealthcheckCommand) Run() error {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout+headerTimeout)
	defer cancel()
	address := c.url()
	if _, err := access.ParseURL(address, "http", "https"); err != nil {
		return fmt.Errorf("health check: address: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxHealthAnswer))
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("health check: %s: %s", answer.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// url converts a listening address to a URL that this machine can reach.
func (c *HealthcheckCommand) url() string {
	if strings.Contains(c.HTTP, "://") {
		return c.HTTP
	}
	host, port, err := net.SplitHostPort(c.HTTP)
	if err != nil {
		return "http://" + c.HTTP + "/readyz"
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz"
}
