package serve

import (
	"context"
	"errors"
	"strings"

	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/settings"
	"tributary/shared/telemetry/build"
	"tributary/worker/predict"
)

// subject is where predictions are asked for; the model's name comes last.
const subject = "tributary.predict."

// answerPredictions serves predictions, shared among all workers, until it is
// stopped.
func (c *Command) answerPredictions(stores *settings.Opened, cacheBytes int64) (*broker.Service, error) {
	service := predict.New(predict.Config{
		Models: models{stores.Conn.Models()}, CacheBytes: cacheBytes, Parallel: c.Slots,
	})
	return stores.Conn.Serve(broker.ServiceConfig{
		Name: "tributary-predict", Version: build.SemVer(),
		Description: "Answers predictions of models in the registry.",
	}, broker.Endpoint{
		Name: "predict", Subject: subject + "*", Queue: "workers",
		Metadata: map[string]string{"about": `{"rows":[[…]]} → {"predictions":[…]}; the subject ends in a model's id or name`},
		Handler: func(ctx context.Context, r broker.Request) ([]byte, error) {
			return service.Handle(ctx, strings.TrimPrefix(r.Subject, subject), r.Data)
		},
	})
}

// models hands the broker's models out as package predict wants them.
type models struct{ *broker.Models }

// Resolve returns the newest model of a name, else takes the name for a
// model's id.
func (m models) Resolve(ctx context.Context, name string) (job.ID, error) {
	id, err := m.Models.Resolve(ctx, name)
	if errors.Is(err, job.ErrNotFound) {
		return job.ID(name), nil
	}
	return job.ID(id), err
}

func (m models) File(ctx context.Context, model job.ID, name string) ([]byte, error) {
	return m.GetFile(ctx, string(model), name)
}
