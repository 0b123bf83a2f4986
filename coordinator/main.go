// Command coordinator takes jobs, splits their data into shards, plans their steps and
// supervises their workers. It can also train and predict without other processes.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"tributary/coordinator/data"
	"tributary/coordinator/inspect"
	"tributary/coordinator/place"
	"tributary/coordinator/predict"
	"tributary/coordinator/schema"
	"tributary/coordinator/serve"
	"tributary/coordinator/sizing"
	"tributary/coordinator/sweep"
	"tributary/coordinator/train"
	"tributary/coordinator/verify"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/settings"
	"tributary/shared/telemetry"
)

func main() {
	var cli struct {
		Train       train.Command                `cmd:"" help:"Train one job to its end, with embedded servers unless --nats and --redis name others."`
		Follow      train.FollowCommand          `cmd:"" help:"Show the progress of a job on given servers until it ends."`
		Serve       serve.Command                `cmd:"" help:"Take jobs over NATS until stopped."`
		Sweep       sweep.Command                `cmd:"" help:"Train a job with many combinations of settings, and compare them by the validation split."`
		Predict     predict.Command              `cmd:"" help:"Print a saved model's predictions for the rows of a file."`
		Evaluate    predict.EvaluateCommand      `cmd:"" help:"Print a saved model's metrics on the labelled rows of a file."`
		Verify      verify.Command               `cmd:"" help:"Compute steps of a job or of a saved model again and compare them with what was recorded."`
		Recompute   verify.RecomputeCommand      `cmd:"" hidden:"" help:"Compute a step given on standard input; verify runs it on other kernels."`
		Plan        sizing.Command               `cmd:"" help:"Predict how fast a job runs with 1, 2, 4, … workers, and how many workers help."`
		Inspect     inspect.Command              `cmd:"" help:"Report what is in a source of data, what is odd about it, and a spec that trains on it."`
		Data        data.Command                 `cmd:"" help:"Store, list, show and remove named data sets with versions, on given servers."`
		Schema      schema.Command               `cmd:"" help:"Print the JSON Schema of a job's spec."`
		Healthcheck telemetry.HealthcheckCommand `cmd:"" help:"Ask a running coordinator whether it is ready; for container health checks."`
		Version     kong.VersionFlag             `help:"Print the version and exit."`
	}
	k := settings.Parse(&cli,
		kong.Name("coordinator"), kong.Description("Tributary: data-parallel training on a job queue, the same bits for any fleet."),
		kong.Vars{"version": telemetry.Version(), "http": "127.0.0.1:8080"},
	)
	// Another process of this program can compute with other kernels than this process.
	cli.Serve.Second = verify.Elsewhere(verify.RecomputeName)
	cli.Train.Folds = sweep.Folds
	cli.Verify.Second = cli.Serve.Second
	cli.Verify.Outside, cli.Inspect.Outside, cli.Plan.Outside = place.Outside{}, place.Outside{}, place.Outside{}
	err := lifecycle.Run(context.Background(), lifecycle.Config{}, func(soft, hard context.Context) error {
		return k.Run(lifecycle.Contexts{Soft: soft, Hard: hard})
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "coordinator:", job.Sentence(err))
		os.Exit(lifecycle.ExitStatus(err))
	}
}
