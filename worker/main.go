// Command worker takes tasks from the queue, computes gradients, stores the results in
// the ledger, and answers predictions. You can run any number of workers, one on each
// machine, and stop or kill any of them at any time.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/settings"
	"tributary/shared/telemetry"
	"tributary/worker/serve"
)

func main() {
	var cli struct {
		Serve       serve.Command                `cmd:"" default:"withargs" help:"Take tasks until stopped. On SIGTERM the worker finishes the tasks in hand, then exits."`
		Healthcheck telemetry.HealthcheckCommand `cmd:"" help:"Ask a running worker whether it is ready; for container health checks."`
		Version     kong.VersionFlag             `help:"Print the version and exit."`
	}
	k := settings.Parse(&cli,
		kong.Name("worker"), kong.Description("Tributary's worker: computes gradients and predictions.\n\n"+settings.Arithmetic()),
		kong.Vars{"version": telemetry.Version(), "http": "127.0.0.1:8081"}.CloneWith(serve.Vars()),
	)
	err := lifecycle.Run(context.Background(), lifecycle.Config{}, func(soft, hard context.Context) error {
		k.Bind(lifecycle.Contexts{Soft: soft, Hard: hard})
		return k.Run()
	})
	if err != nil && !errors.Is(err, lifecycle.ErrStopped) {
		fmt.Fprintln(os.Stderr, "worker:", job.Sentence(err))
		os.Exit(lifecycle.ExitStatus(err))
	}
}
