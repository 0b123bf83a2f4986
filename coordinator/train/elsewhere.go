package train

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/registry"
)

// ending returns the outcome of a final job, or an error with the reason why it has none.
func ending(r job.Record) (*job.Outcome, error) {
	switch {
	case r.State == job.Cancelled:
		return nil, fmt.Errorf("job %s was cancelled", r.ID)
	case r.State == job.Succeeded && r.Outcome != nil:
		return r.Outcome, nil
	default:
		return nil, errors.New(r.Error)
	}
}

// fetch copies the files of a model from the registry to the out folder. Another
// coordinator or an earlier run has stored that model. add adds files to them.
func (c *Command) fetch(ctx context.Context, models *broker.Models, o *job.Outcome, add func(files map[string][]byte) map[string][]byte) (*job.Outcome, error) {
	listed, err := models.List(ctx, string(o.Job))
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(listed))
	for _, f := range listed {
		if files[f.Name], err = models.GetFile(ctx, f.Model, f.Name); err != nil {
			return nil, err
		}
	}
	if _, err := registry.Decode(files); err != nil {
		return nil, fmt.Errorf("job %s has succeeded, but its model cannot be read: %w", o.Job, err)
	}
	fetched := *o
	fetched.Out, err = c.keep(o.Job, add(files))
	return &fetched, err
}
