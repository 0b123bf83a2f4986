package train

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tributary/coordinator/api"
	"tributary/shared/job"
	"tributary/shared/settings"
)

// submit records the job, or resumes the job that was stopped.
func (c *Command) submit(ctx context.Context, a *api.API, stores *settings.Opened, kept *state, asked *job.Spec, text []byte) (job.ID, error) {
	if c.Resume && c.NATS == "" {
		kept.dir = c.dir(asked.ID)
		r, err := kept.restore(ctx, asked, stores.Blobs)
		if err != nil {
			return "", fmt.Errorf("--resume: %w", err)
		}
		if _, err := stores.Conn.Records().Create(ctx, r); err != nil {
			return "", fmt.Errorf("record job %s: %w", r.ID, err)
		}
		return r.ID, nil
	}
	if c.More > 0 {
		return c.extend(ctx, a, stores)
	}
	status, err := a.Submit(ctx, text)
	if err != nil {
		return "", err
	}
	if c.Resume && status.State != job.Succeeded {
		_, err = a.Resume(ctx, []byte(status.ID))
	}
	return status.ID, err
}

// releaseEvery is how often stop checks whether a cancelled job is released.
const releaseEvery = 50 * time.Millisecond

// stop cancels the job, waits for its last checkpoint, and prints how to resume it.
func (c *Command) stop(soft, hard context.Context, a *api.API, id job.ID) error {
	_, err := a.Cancel(hard, []byte(id))
	var r job.Record
	for err == nil && !r.Released {
		if r, err = a.Get(hard, []byte(id)); err == nil && !r.Released {
			select {
			case <-hard.Done():
				err = context.Cause(hard)
			case <-time.After(releaseEvery):
			}
		}
	}
	cancelled := fmt.Errorf("job %s was cancelled: %w", id, context.Cause(soft))
	if len(r.Checkpoints) > 0 {
		cancelled = fmt.Errorf("job %s was cancelled after step %d of %d: %w\nto go on from there: %s",
			id, r.Checkpoints[0].Step, r.Steps, context.Cause(soft), c.again(id))
	}
	return errors.Join(cancelled, err)
}

// again returns the command line that resumes the job. It shows no address of a server,
// because an address may have a password.
func (c *Command) again(id job.ID) string {
	words := []string{"coordinator", "train", quoted(c.Spec), "--resume"}
	if c.Workers != 1 {
		words = append(words, "--workers", strconv.Itoa(c.Workers))
	}
	if c.Slots != 0 {
		words = append(words, "--slots", strconv.Itoa(c.Slots))
	}
	if c.NATS == "" || c.Out != "" {
		words = append(words, "--out", quoted(c.dir(id)))
	}
	line := strings.Join(words, " ")
	if c.NATS != "" {
		line += fmt.Sprintf(" (with --nats and --redis as now, and id: %s in the spec)", id)
	}
	if c.Spec == "-" {
		line += " (with the same spec on standard input)"
	}
	return line
}

// quoted returns a word as a shell reads it.
func quoted(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
