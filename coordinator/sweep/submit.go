package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"tributary/coordinator/api"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/readable"
	"tributary/shared/settings"
	"tributary/shared/trial"
)

// The times of a command that follows a sweep on servers.
const (
	connectPatience = 20 * time.Second // a user waits for the command
	askEvery        = 500 * time.Millisecond
	askPatience     = time.Minute // without an answer, which a coordinator's end may cost
)

// submit submits the sweep to the coordinators on the given server, and follows it.
func (c *Command) submit(ctx context.Context, s *trial.Sweep) error {
	log, err := settings.Log{Level: "error", Format: "pretty"}.LoggerTo(os.Stderr, false, "")
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	conn, err := broker.Connect(waiting, broker.Config{URL: c.NATS, Login: c.NATSLogin, Name: "tributary sweep"}, log)
	if err != nil {
		return err
	}
	defer conn.Close()
	text, err := s.JSON()
	if err != nil {
		return err
	}
	if _, err := ask(ctx, conn, "submit", text); err != nil {
		return err
	}
	shown, err := follow(ctx, conn, s, os.Stderr)
	if err != nil {
		return err
	}
	if err := readable.Print(os.Stdout, shown); err != nil {
		return err
	}
	switch shown.State {
	case trial.Running, trial.Succeeded:
		return nil
	case trial.Cancelled:
		return fmt.Errorf("sweep %s was cancelled", shown.ID)
	case trial.Failed:
		return fmt.Errorf("sweep %s has failed: %s: %w", shown.ID, shown.Error, job.ErrPoison)
	}
	return nil
}

// ask makes a request about sweeps with a timeout.
func ask(ctx context.Context, conn *broker.Conn, what string, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	return conn.Request(ctx, "tributary.sweeps."+what, payload)
}

// follow prints how many trials have ended until the sweep has. Then it prints the table.
func follow(ctx context.Context, conn *broker.Conn, s *trial.Sweep, w io.Writer) (api.ShownSweep, error) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	line, heard := "", time.Now()
	for {
		var shown api.ShownSweep
		answer, err := ask(ctx, conn, "get", []byte(s.Name))
		if err == nil {
			err = json.Unmarshal(answer, &shown)
		}
		switch {
		case ctx.Err() != nil:
			return shown, fmt.Errorf("no longer following sweep %s, which goes on: %w", s.Name, context.Cause(ctx))
		case err != nil && time.Since(heard) > askPatience:
			return shown, err
		case err == nil:
			heard = time.Now()
			if now := standing(shown); now != line {
				line = now
				fmt.Fprintln(w, line)
			}
			if shown.State.Final() {
				return shown, table(w, s, shown)
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// standing says in a line how far a sweep has come.
func standing(s api.ShownSweep) string {
	line := fmt.Sprintf("%s: %d of %d trials have ended", s.State, s.Done, s.Trials)
	for k, o := range s.Rounds {
		if o.Trials > 0 && k > 0 {
			line = fmt.Sprintf("%s: round %d, %d epochs: %d of %d trials have ended", s.State, k+1, o.Epochs, o.Done, o.Trials)
		}
	}
	if s.Failed > 0 {
		line += fmt.Sprintf(", %d failed", s.Failed)
	}
	if s.Best != nil {
		line += fmt.Sprintf("; best %.6g of trial %d", s.Best.Value, s.Best.Trial)
	}
	return line
}

// table prints the best trials, and those that failed.
func table(out io.Writer, s *trial.Sweep, shown api.ShownSweep) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(append([]string{"trial", s.Monitor}, s.Paths()...), "\t"))
	for _, t := range append(shown.Table, shown.Failures...) {
		row := []string{fmt.Sprint(t.Trial), t.Error}
		if t.Value != nil {
			row[1] = fmt.Sprintf("%.6g", *t.Value)
		}
		for _, path := range s.Paths() {
			row = append(row, trial.Text(t.Values[path]))
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if shown.Best != nil {
		fmt.Fprintf(out, "the best is trial %d, chosen by the validation split; its model is %s\n", shown.Best.Trial, shown.Best.Job)
	}
	return nil
}
