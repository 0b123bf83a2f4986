package run

import (
	"context"
	"fmt"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/shared/registry"
)

// putProfile stores the description of the training rows. It returns its digest; "" if there
// is no description.
func (d *driver) putProfile(ctx context.Context, p *plan.Plan) (job.Digest, error) {
	profile := p.Dataset.Profile
	if profile == nil {
		return "", nil
	}
	data, err := profile.Encode()
	if err != nil { // too large: the model does without it
		d.log.Debug().Err(err).Msg("describe the training rows")
		return "", nil
	}
	digest, err := (&patientBlobs{Store: d.service.cfg.Blobs, d: d}).Put(ctx, data)
	if err != nil {
		return "", fmt.Errorf("store the description of the training rows: %w", err)
	}
	return digest, nil
}

// describe adds the description of the training rows to a model. If it is lost, the job keeps
// its model without it.
func (t *training) describe(ctx context.Context, m *registry.Model) error {
	if t.record.Profile == "" {
		return nil
	}
	data, err := persist(ctx, t.driver, "read the description of the training rows", func() ([]byte, error) {
		return blob.Fetch(ctx, t.service.cfg.Blobs, t.record.Profile)
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = m.Describe(data)
	}
	if err != nil {
		t.publish(notice.Event{Type: notice.ErrorEvent, Step: t.round.Committed(), Message: "the model is stored without a description of the training rows: " + sentence(err)})
	}
	return nil
}
