package run

import (
	"context"
	"encoding/json"
	"math"

	lru "github.com/hashicorp/golang-lru/v2"

	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/monitor"
	"tributary/shared/objective"
	"tributary/shared/plan"
)

// standings reads from the ledger how far jobs have come, also those that another
// coordinator drives.
type standings struct {
	cfg   *Config
	known *lru.Cache[job.Digest, ledgerPlan] // by the plan
}

// ledgerPlan is what is needed to read the ledger of a plan's job.
type ledgerPlan struct {
	layout ledger.Layout // without a job
	of     objective.Objective
}

// maxStandings bounds the plans of which a service keeps the layout.
const maxStandings = 1024

func newStandings(cfg *Config) *standings {
	known, err := lru.New[job.Digest, ledgerPlan](maxStandings)
	if err != nil {
		panic(err) // the size is not positive
	}
	return &standings{cfg: cfg, known: known}
}

// Standing reads how far a job with a plan has come.
func (s *Service) Standing(ctx context.Context, r job.Record) (job.Standing, error) {
	return s.standings.read(ctx, r)
}

func (s *standings) read(ctx context.Context, r job.Record) (job.Standing, error) {
	p, err := s.plan(ctx, r.Plan)
	if err != nil {
		return job.Standing{}, err
	}
	l := p.layout
	l.Ref = r.Ref()
	state, err := s.cfg.Ledger.State(ctx, l)
	if err != nil {
		return job.Standing{}, err
	}
	out := job.Standing{Step: state.Committed, Progress: job.Fraction(state.Committed, r.Steps)}
	if out.Step > 0 {
		losses, err := checkpoint.Losses(ctx, s.cfg.Ledger, l, out.Step-1, out.Step)
		if err != nil {
			return out, err
		}
		for _, newest := range losses {
			if loss := p.of.Mean(newest.Sums.Loss, newest.Sums.Examples); !math.IsNaN(loss) && !math.IsInf(loss, 0) {
				out.Loss = &loss
			}
		}
	}
	out.Metrics, err = s.evaluations(ctx, l)
	return out, err
}

// evaluations returns the metrics of the newest evaluation of each split.
func (s *standings) evaluations(ctx context.Context, l ledger.Layout) (map[job.Split]map[string]float64, error) {
	units, err := s.cfg.Ledger.Evaluations(ctx, l, ledger.Concluded)
	if err != nil || len(units) == 0 {
		return nil, err
	}
	list, err := monitor.Decode(units)
	if err != nil {
		return nil, err
	}
	metrics := map[job.Split]map[string]float64{}
	for _, e := range list { // in order of steps
		metrics[e.Split] = e.Metrics
	}
	return metrics, nil
}

// plan returns what is needed to read the ledger of a plan's job.
func (s *standings) plan(ctx context.Context, digest job.Digest) (ledgerPlan, error) {
	if p, ok := s.known.Get(digest); ok {
		return p, nil
	}
	data, err := blob.Fetch(ctx, s.cfg.Blobs, digest)
	if err != nil {
		return ledgerPlan{}, err
	}
	p, err := plan.Decode(data)
	if err != nil {
		return ledgerPlan{}, err
	}
	var out ledgerPlan
	if out.layout, err = p.Layout(job.Ref{}); err != nil {
		return ledgerPlan{}, err
	}
	if out.of, err = objective.For(&p.Spec); err != nil {
		return ledgerPlan{}, err
	}
	s.known.Add(digest, out)
	return out, nil
}

// described returns the spec of the plan with the tags and the notes of the job's record.
func (t *training) described() job.Spec {
	s := t.engine.Plan.Spec
	var asked job.Spec
	if err := json.Unmarshal(t.record.Spec, &asked); err == nil { // a spec that cannot be read has no plan either
		s.Tags, s.Notes = asked.Tags, asked.Notes
	}
	return s
}
