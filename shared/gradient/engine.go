package gradient

import (
	"context"
	"fmt"
	"sync"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/metric"
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/objective"
	"tributary/shared/optim"
	"tributary/shared/plan"
	"tributary/shared/registry"
)

// Blocks returns decoded blocks. dataset.Cache implements it.
type Blocks interface {
	Get(ctx context.Context, ref dataset.BlockRef) (*dataset.Block, error)
}

// Engine is a compiled plan, ready to compute with. Only its memo of epoch orders changes.
// It is safe for concurrent use.
type Engine struct {
	Plan      *plan.Plan
	Network   *model.Network
	Objective objective.Objective
	Fold      *optim.Fold
	Metrics   metric.Config

	layout ledger.Layout // without a job; Layout sets it
	samples
	initial []float32 // initial parameters that the spec names; nil: Network.Init makes them from the seed
	frozen  []float32 // the frozen parameters [F]

	mu     sync.Mutex
	orders [2]*epochOrder // the last two epochs that were requested
}

type epochOrder struct {
	epoch int64
	*dataset.Order
}

// Compile makes an engine from a plan. It reads the initial weights that the plan names
// from store. It fails with job.ErrNotFound if they are missing, and with job.ErrCorrupt if
// they are damaged.
func Compile(ctx context.Context, p *plan.Plan, store blob.Store, blocks Blocks) (*Engine, error) {
	e, err := compile(p, blocks)
	if err != nil {
		return nil, err
	}
	e.frozen = make([]float32, e.Network.Frozen())
	if p.Init == "" {
		e.Network.Init(model.Weights{Frozen: e.frozen}, p.Spec.Seed)
		return e, nil
	}
	data, err := blob.Fetch(ctx, store, p.Init)
	if err != nil {
		return nil, fmt.Errorf("read initial weights: %w", err)
	}
	e.initial = make([]float32, e.Network.Params())
	if err := registry.LoadWeights(data, e.Network.Tensors(), e.Weights(e.initial)); err != nil {
		return nil, fmt.Errorf("model.init.from: %w", err)
	}
	return e, nil
}

// compile makes an engine from a plan, without the initial weights that the plan names.
func compile(p *plan.Plan, blocks Blocks) (*Engine, error) {
	network, err := p.Network()
	if err != nil {
		return nil, err
	}
	of, err := p.Objective()
	if err != nil {
		return nil, err
	}
	terms, outputs := objective.Terms(of, network.Output().Positions, network.Outputs())
	if err := of.Check(outputs); err != nil {
		return nil, fmt.Errorf("outputs: %w", err)
	}
	from, err := samplesOf(p, blocks, terms)
	if err != nil {
		return nil, err
	}
	fold, err := optim.New(p.Spec.Optimizer, biases(network)...)
	if err != nil {
		return nil, fmt.Errorf("compile optimizer: %w", err)
	}
	layout, err := p.Layout(job.Ref{})
	if err != nil {
		return nil, err
	}
	return &Engine{
		Plan: p, Network: network, Objective: of, Fold: fold.With(p.Spec.Schedule, p.Steps()).Penalizing(penalties(network)...),
		layout:  layout,
		samples: from,
		Metrics: metric.Config{
			Objective: of, Metrics: p.Spec.Metrics,
			Outputs: outputs, Classes: p.Dataset.Classes, Label: from.label(), Labels: from.labels(),
			Threshold: p.Spec.Threshold != nil,
		},
	}, nil
}

// biases returns the ranges of the biases and norms among the trained parameters.
func biases(n *model.Network) (ranges []optim.Range) {
	for _, t := range n.Tensors() {
		if t.Group != model.Weight && !t.Frozen && !t.Statistic {
			ranges = append(ranges, optim.Range{Lo: t.Offset, Hi: t.Offset + t.Len})
		}
	}
	return ranges
}

// penalties returns the penalties on the trained parameters.
func penalties(n *model.Network) (penalties []optim.Penalty) {
	for _, t := range n.Tensors() {
		if t.Penalty != (job.Regularizer{}) && !t.Frozen {
			penalties = append(penalties, optim.Penalty{Range: optim.Range{Lo: t.Offset, Hi: t.Offset + t.Len}, Regularizer: t.Penalty})
		}
	}
	return penalties
}

// Initial writes the parameters before the first step into dst [P].
func (e *Engine) Initial(dst []float32) {
	if e.initial != nil {
		copy(dst, e.initial)
		return
	}
	e.Network.Init(model.Weights{Trained: dst}, e.Plan.Spec.Seed)
}

// Divisor returns the number that a root gradient is divided by, once.
func (e *Engine) Divisor(s ledger.Sums) float32 { return e.Objective.Divisor(s.Examples) }

// Rows returns how many rows or tokens the sums of a step are over.
func (e *Engine) Rows(step int64, s ledger.Sums) int64 {
	if _, weighted := e.Objective.Units(nil); !weighted {
		return s.Examples
	}
	_, lo, hi := e.Plan.Batch(step)
	return int64(hi - lo)
}

// MeanLoss returns the loss of a batch as people read it.
func (e *Engine) MeanLoss(s ledger.Sums) float64 { return e.Objective.Mean(s.Loss, s.Examples) }

// GradientNorm returns the L2 norm of a step's mean gradient, before any clipping. root is its
// root gradient [P].
func (e *Engine) GradientNorm(root []float32, s ledger.Sums) float64 {
	return numeric.Norm(root[:len(root)-e.Network.Statistics()]) / float64(e.Divisor(s))
}

// Layout returns the layout that addresses the ledger of the job ref.
func (e *Engine) Layout(ref job.Ref) ledger.Layout {
	l := e.layout
	l.Ref = ref
	return l
}

// Weights returns all parameters of the network: the given trained ones [P], and the frozen
// ones of the engine.
func (e *Engine) Weights(params []float32) model.Weights {
	return model.Weights{Trained: params, Frozen: e.frozen}
}

// under returns the model to run with params.
func (e *Engine) under(params []float32) executor.Model {
	return executor.Model{Network: e.Network, Objective: e.Objective, Weights: e.Weights(params), Masked: e.masked}
}

// order returns the order of an epoch. Tasks of the same epoch share it.
func (e *Engine) order(epoch int64) *dataset.Order {
	e.mu.Lock()
	defer e.mu.Unlock()
	slot := &e.orders[epoch%2]
	if *slot == nil || (*slot).epoch != epoch {
		spec := &e.Plan.Spec
		*slot = &epochOrder{epoch, dataset.NewOrder(e.Plan.Dataset.Splits[job.Train], spec.Seed, epoch, spec.Data.Shuffle)}
	}
	return (*slot).Order
}
