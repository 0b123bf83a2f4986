package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/settings"
	"tributary/shared/telemetry"
	"tributary/shared/telemetry/build"
	"tributary/worker/predict"
)

// subject is where predictions are asked for; the model's name comes last.
const subject = "tributary.predict."

// concurrent is how many predictions a worker has in hand, most of them waiting
// for a model or a CPU: package predict has the bounds of both.
const concurrent = 64

// answerPredictions serves predictions, shared among all workers, until it is
// stopped. Requests and the models for them come over a connection of their own.
func (c *Command) answerPredictions(stores *settings.Opened, cacheBytes int64, observe predicted) (stop func(context.Context), err error) {
	conn, err := stores.Conn.Fork("predictions")
	if err != nil {
		return nil, err
	}
	service := predict.New(predict.Config{
		Models: models{conn.Models(), conn.Records()}, CacheBytes: cacheBytes, Parallel: c.Slots,
	})
	answering, err := conn.Serve(broker.ServiceConfig{
		Name: "tributary-predict", Version: build.SemVer(), Concurrent: concurrent,
		Description: "Answers predictions of models in the registry.",
	}, broker.Endpoint{
		Name: "predict", Subject: subject + "*", Queue: "workers",
		MaxRequest: predict.MaxRequest, ReplyOnly: true,
		Metadata: map[string]string{"about": `{"rows":[[…]]} → {"predictions":[…]}; the subject ends in a model's id or name`},
		Handler: func(ctx context.Context, r broker.Request) ([]byte, error) {
			began := time.Now()
			answer, err := service.Handle(ctx, strings.TrimPrefix(r.Subject, subject), r.Data)
			observe(time.Since(began), err)
			return answer, err
		},
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return func(ctx context.Context) {
		answering.Stop(ctx)
		conn.Close()
	}, nil
}

// predicted takes how long a request for predictions took, and how it ended.
type predicted func(time.Duration, error)

// predictions counts and times requests for predictions. Most errors are the requests' own: they have the
// outcomes invalid and not found.
func predictions(m *telemetry.Metrics) predicted {
	count := m.Counter("predictions_total", "Requests for predictions, by outcome: ok, or the class of the error.", "outcome")
	took := m.Seconds("prediction_seconds", "Time from taking a request for predictions to its answer.").WithLabelValues()
	for _, outcome := range []error{nil, job.ErrInvalid, job.ErrNotFound} {
		count.WithLabelValues(job.ClassOf(outcome)) // 0, so that the first one is an increase
	}
	count.WithLabelValues(job.ClassOf(errors.New("")))
	return func(d time.Duration, err error) {
		count.WithLabelValues(job.ClassOf(err)).Inc()
		took.Observe(d.Seconds())
	}
}

// models hands the broker's models out as package predict wants them.
type models struct {
	*broker.Models
	records *broker.Records
}

// Find returns the model of an id, else the newest of a name. A job's id means that job
// also while it has no model.
func (m models) Find(ctx context.Context, name string) (predict.Found, error) {
	found, err := m.Models.Find(ctx, name)
	if err == nil && found.ID != name {
		_, err = m.records.Get(ctx, job.ID(name))
		switch {
		case err == nil:
			return predict.Found{}, fmt.Errorf("job %q has no model: %w", name, job.ErrNotFound)
		case errors.Is(err, job.ErrNotFound):
			err = nil
		}
	}
	return predict.Found{ID: job.ID(found.ID), Version: found.Version}, err
}

func (m models) ReadFile(ctx context.Context, model job.ID, name string, read func(r io.Reader, size int64) error) error {
	return m.Models.ReadFile(ctx, string(model), name, read)
}
