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

// subject is the prefix of the subjects for prediction requests. The model's name comes
// last.
const subject = "tributary.predict."

// concurrent is how many prediction requests a worker handles at a time. Most of them
// wait for a model or a CPU; package predict bounds both.
const concurrent = 64

// answerPredictions serves predictions until stop is called. All workers share the
// requests. The requests and their models use a connection of their own.
func (c *Command) answerPredictions(stores *settings.Opened, cacheBytes int64, observe predicted, drift predict.Drift) (stop func(context.Context), err error) {
	conn, err := stores.Conn.Fork("predictions")
	if err != nil {
		return nil, err
	}
	service := predict.New(predict.Config{
		Models: models{conn.Models(), conn.Records()}, CacheBytes: cacheBytes, Parallel: c.Slots, Drift: drift,
	})
	answering, err := conn.Serve(broker.ServiceConfig{
		Name: "tributary-predict", Version: build.SemVer(), Concurrent: concurrent,
		Description: "Answers requests for predictions from the models in the registry.",
	}, broker.Endpoint{
		Name: "predict", Subject: subject + "*", Queue: "workers",
		MaxRequest: predict.MaxRequest, ReplyOnly: true,
		Metadata: map[string]string{"about": `{"rows":[[…]]} (and "drift": true) → {"predictions":[…]}; the subject ends in a model's id or name`},
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

// predicted records how long a prediction request took, and its error.
type predicted func(time.Duration, error)

// predictions returns a function that counts and times prediction requests. Most errors
// are faults of the request: their outcomes are "invalid" and "not found".
func predictions(m *telemetry.Metrics) predicted {
	count := m.Counter("predictions_total", "Requests for predictions, by outcome: ok, or the class of the error.", "outcome")
	took := m.Seconds("prediction_seconds", "Time from taking a request for predictions to its answer.").WithLabelValues()
	for _, outcome := range []error{nil, job.ErrInvalid, job.ErrNotFound} {
		count.WithLabelValues(job.ClassOf(outcome)) // start at 0, so that the first one is an increase
	}
	count.WithLabelValues(job.ClassOf(errors.New("")))
	return func(d time.Duration, err error) {
		count.WithLabelValues(job.ClassOf(err)).Inc()
		took.Observe(d.Seconds())
	}
}

// models adapts the broker's models to predict.Models.
type models struct {
	*broker.Models
	records *broker.Records
}

// Find returns the model of an id, or else the newest model of a name. A job's id always
// means that job: if the job has no model, Find fails with job.ErrNotFound.
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
