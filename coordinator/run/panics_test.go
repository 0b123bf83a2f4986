package run_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/report"
	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// breaking panics in one place of a coordinator, only for the job "broken".
type breaking struct {
	*world
	place string
	ledger.Ledger
}

func (b *breaking) at(place string, ref job.ID) {
	if b.place == place && ref == "broken" {
		panic("on purpose: " + place)
	}
}

// Only the broken job's source calls Open.
func (b *breaking) Open(context.Context, string) (io.ReadCloser, error) {
	b.at("ingest", "broken")
	return nil, fmt.Errorf("no such source: %w", job.ErrInvalid)
}

func (b *breaking) State(ctx context.Context, l ledger.Layout) (ledger.State, error) {
	b.at("state", l.Job)
	return b.Ledger.State(ctx, l)
}

func (b *breaking) Losses(ctx context.Context, l ledger.Layout, from, to int64) ([]ledger.Progress, error) {
	b.at("losses", l.Job)
	return b.Ledger.Losses(ctx, l, from, to)
}

func (b *breaking) Evaluations(ctx context.Context, l ledger.Layout, step int64) (map[string][]byte, error) {
	b.at("evaluations", l.Job)
	return b.Ledger.Evaluations(ctx, l, step)
}

func (b *breaking) Delete(ctx context.Context, l ledger.Layout) error {
	b.at("delete", l.Job)
	return b.Ledger.Delete(ctx, l)
}

func (b *breaking) PutFile(ctx context.Context, model, file string, content io.Reader) error {
	b.at("model", job.ID(model))
	return b.world.PutFile(ctx, model, file, content)
}

// plans is a blob store in which a read of the broken job's plan panics.
type plans struct {
	blob.Store
	b *breaking
}

func (p plans) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	r, _, err := p.b.world.Get(ctx, "broken")
	if err != nil {
		return nil, err
	}
	if r.Plan == digest && digest != "" {
		p.b.at("compile", "broken")
	}
	return p.Store.Get(ctx, digest)
}

// A panic for one job fails that job with its cause, and no other job.
func TestAPanicFailsItsJobAlone(t *testing.T) {
	for _, place := range []string{"ingest", "compile", "state", "losses", "evaluations", "model"} {
		t.Run(place, func(t *testing.T) {
			w := newWorld(t)
			b := &breaking{world: w, place: place, Ledger: w.ledger}
			cfg := w.config("test")
			cfg.Ledger, cfg.Models, cfg.Blobs = b, brokenModels{models{w}, b}, plans{w.blobs, b}
			broken := line("broken", 30)
			if place == "ingest" {
				cfg.Sources = b
				broken = strings.Replace(broken, `"inline":{"x":[1,2,3,4,5],"y":[2,4,5,6,8]}`, `"source":"rows.csv","format":"csv","label":"y"`, 1)
			}
			w.run(run.New(cfg), 2)
			bad, good := w.submit(broken), w.submit(line("good", 30))
			var r job.Record // its training state may be impossible to delete too
			w.until("the end", func() bool { r = w.records[bad]; return r.State.Final() })
			require.Equal(t, job.Failed, r.State)
			require.Contains(t, r.Error, "panic: on purpose: "+place)
			require.Equal(t, job.Succeeded, w.ended(good).State)
		})
	}
}

// brokenModels is the registry, which stores through the breaking one.
type brokenModels struct {
	models
	b *breaking
}

func (m brokenModels) PutFile(ctx context.Context, model, file string, content io.Reader) error {
	return m.b.PutFile(ctx, model, file, content)
}

// A job whose training state cannot be deleted stays ended, and the other jobs go on.
func TestAPanicAfterTheEndHarmsNobody(t *testing.T) {
	w := newWorld(t)
	cfg := w.config("test")
	cfg.Ledger = &breaking{world: w, place: "delete", Ledger: w.ledger}
	w.run(run.New(cfg), 2)
	bad := w.submit(line("broken", 30))
	w.until("the end", func() bool { return w.records[bad].State == job.Succeeded })
	good := w.submit(line("good", 30))
	require.Equal(t, job.Succeeded, w.ended(good).State)
}

// A report that fails or panics does not cost a job its model.
func TestAFailingReportNeverCostsTheModel(t *testing.T) {
	for name, report := range map[string]func(report.Curves) (map[string][]byte, error){
		"panic": func(report.Curves) (map[string][]byte, error) { panic("on purpose") },
		"error": func(c report.Curves) (map[string][]byte, error) {
			return map[string][]byte{"metrics.jsonl": report.MetricsJSONL(c)}, fmt.Errorf("no ink")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cfg := w.config("test")
			cfg.Report = report
			w.run(run.New(cfg), 2)
			id := w.submit(line("good", 30))
			require.Equal(t, job.Succeeded, w.ended(id).State)
			require.Contains(t, w.files, string(id)+"/model.safetensors")
			require.Contains(t, w.files, string(id)+"/model.json")
			w.reported("that there is no report", func(e notice.Event) bool {
				return e.Type == notice.ErrorEvent && strings.Contains(e.Message, "the model is stored without it")
			})
			if name == "error" {
				require.Contains(t, w.files, string(id)+"/metrics.jsonl", "what could be made is there")
			}
		})
	}
}
