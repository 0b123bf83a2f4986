package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"tributary/coordinator/ingest"
	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/metric"
	"tributary/shared/monitor"
	"tributary/shared/plan"
	"tributary/shared/registry"
	"tributary/shared/rounding"
	"tributary/shared/serial"
	"tributary/shared/spec"
	"tributary/shared/tree"
)

// templates is how many different jobs there are of each kind. The kinds, in order: jobs
// with the lossless wire, jobs with the other wires, long jobs, and jobs that need an
// operation which older workers do not know.
const (
	templates     = 32
	longTemplates = 8
)

// novelty is that operation. It does not change what is computed, so that every job has a
// reference.
var novelty = plan.Operation{Capability: "novelty", Used: func(s *job.Spec) bool { return s.Seed >= 3*templates }}

// specOf returns the spec of a template with that id.
func specOf(template int, id job.ID) []byte {
	r := rand.New(rand.NewPCG(uint64(template), 0x7472696275))
	features, rows := 1+r.IntN(3), 12+r.IntN(30)
	x, y := make([][]float64, rows), make([]float64, rows)
	for i := range x {
		for range features {
			x[i] = append(x[i], float64(r.IntN(2001)-1000)/1000)
		}
		y[i] = x[i][0] - x[i][len(x[i])-1]/2 + float64(r.IntN(101))/1000
	}
	microbatches := pick(r, 1, 2, 3, 4, 4, 8)
	s := map[string]any{
		"id": id, "name": "model-" + string(id), "seed": template,
		"data":  map[string]any{"inline": map[string]any{"x": x, "y": y}, "split": map[string]any{"train": 0.75, "validation": 0.25}},
		"model": map[string]any{"layers": []any{dense(1+r.IntN(4), "tanh"), dense(1, "none")}},
		"loss":  pick(r, "mse", "half_squared_error"), "metrics": []string{"rmse"},
		"optimizer": pick(r,
			map[string]any{"sgd": map[string]any{"learning_rate": 0.01, "momentum": 0.9}},
			map[string]any{"adam": map[string]any{"learning_rate": 0.01}}),
		"batch": microbatches + r.IntN(8), "microbatches": microbatches, "steps": 5 + r.IntN(20),
		"evaluate": map[string]any{"every_steps": 3 + r.IntN(8)}, "checkpoint": map[string]any{"every_steps": 2 + r.IntN(6), "keep": 1 + r.IntN(3)},
	}
	if template%5 == 2 {
		s["schedule"] = map[string]any{"warmup_steps": 2, "cosine": map[string]any{"steps": 3, "restart_factor": 2}}
	}
	if template%6 == 1 { // follows its evaluations: stops early, keeps the best, reduces the learning rate
		s["early_stopping"] = object{"patience": 1 + r.IntN(3), "min_delta": pick(r, 0, 0.01), "restore_best": r.IntN(4) > 0}
		s["schedule"] = object{"reduce_on_plateau": object{"factor": 0.5, "patience": 1, "min_delta": pick(r, 0, 0.1)}}
	}
	if template%8 == 1 {
		for _, fields := range s["optimizer"].(object) {
			fields.(object)["ema_momentum"] = 0.75
		}
	}
	if template%7 == 3 {
		layers := []any{dense(3, "tanh"), object{"dropout": object{"rate": 0.25}}, object{"residual": object{"layers": []any{object{"layer_norm": object{}}, dense(3, "gelu")}}}, dense(1, "none")}
		s["model"] = object{"layers": layers}
	}
	if template%7 == 5 && template/templates != 1 {
		s["model"] = object{"layers": []any{dense(3, "tanh"), object{"batch_norm": object{"momentum": 0.25}}, dense(1, "none")}}
		s["batch"] = 2*microbatches + r.IntN(8)
	}
	if template%9 == 4 {
		window := object{"filters": 2, "kernel_size": []int{1, 2}, "padding": "same", "activation": "relu"}
		layers := []any{object{"reshape": []int{1, features, 1}}, object{"conv2d": window}, object{"max_pooling2d": object{"pool_size": []int{1, features}}}, object{"flatten": object{}}}
		s["model"] = object{"layers": append(layers, dense(1, "none"))}
	}
	switch template / templates {
	case 1:
		s["wire"] = pick(r, job.WireBfloat16, job.WireInt8, job.WireTopK)
		if s["wire"] == job.WireTopK {
			s["wire_keep"] = pick(r, 0.1, 0.3, 0.5)
		}
	case 2: // many steps in a row without an interruption
		s["microbatches"] = pick(r, 1, 1, 2)
		s["steps"], s["evaluate"] = 150+r.IntN(350), map[string]any{"every_steps": 100 + r.IntN(200)}
		s["checkpoint"] = map[string]any{"every_steps": 40 + r.IntN(100), "keep": 1 + r.IntN(3)}
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return text
}

// object is an object of a spec.
type object = map[string]any

func dense(units int, activation string) any {
	return map[string]any{"dense": map[string]any{"units": units, "activation": activation}}
}

// simulated is one incarnation of a job in a world.
type simulated struct {
	alias     string // its id and the incarnation's number
	ref       job.Ref
	want      *reference
	published int             // number of gradient tasks
	asked     map[string]bool // the published ones, by name
	claims    int             // number of claims by coordinators
}

// reference is everything that a job computes, from shared/serial.
type reference struct {
	plan    job.Digest
	blocks  blocks
	layout  ledger.Layout // without the job
	novel   bool          // it needs novelty
	steps   int64
	nodes   []map[tree.Node]ledger.Partial // by step: the partial of every node of the tree
	states  [][][]float32                  // by number of steps: the vectors of a snapshot
	chains  []ledger.Chain                 // by number of steps: the chain of the update log
	units   []map[string][]byte            // by number of steps: every unit of an evaluation
	digest  job.Digest                     // digest of the final parameters
	metrics map[job.Split]map[string]float64
}

// blocks returns a dataset's blocks directly from a map.
type blocks map[job.Digest]*dataset.Block

func (b blocks) Get(_ context.Context, ref dataset.BlockRef) (*dataset.Block, error) {
	return b[ref.Digest], nil
}

type referenceKey struct {
	template int
	id       job.ID
	chunkLen int
}

// references caches the computed references.
var references = struct {
	sync.Mutex
	known map[referenceKey]*reference
}{known: map[referenceKey]*reference{}}

// refer returns the reference of a template's job.
func refer(template int, id job.ID, chunkLen int) *reference {
	key := referenceKey{template, id, chunkLen}
	references.Lock()
	defer references.Unlock()
	if r, ok := references.known[key]; ok {
		return r
	}
	r, err := newReference(context.Background(), specOf(template, id), chunkLen)
	if err != nil {
		panic(fmt.Sprintf("the reference of template %d: %v", template, err))
	}
	references.known[key] = r
	return r
}

func newReference(ctx context.Context, text []byte, chunkLen int) (*reference, error) {
	s, err := spec.Decode(text)
	if err != nil {
		return nil, err
	}
	store := blob.NewMemory(0)
	manifest, err := ingest.Run(ctx, s, &ingest.Roots{}, store, nil)
	if err != nil {
		return nil, err
	}
	p, err := plan.Make(s, manifest, chunkLen, nil)
	if err != nil {
		return nil, err
	}
	all := blocks{}
	for _, refs := range p.Dataset.Splits {
		for _, ref := range refs {
			data, err := store.Get(ctx, ref.Digest)
			if err != nil {
				return nil, err
			}
			if all[ref.Digest], err = dataset.DecodeBlock(data); err != nil {
				return nil, err
			}
		}
	}
	e, err := gradient.Compile(ctx, p, store, all)
	if err != nil {
		return nil, err
	}
	r := &reference{layout: e.Layout(job.Ref{}), steps: p.Steps(), blocks: all, novel: len(p.Needs) > 0}
	if _, r.plan, err = p.Encode(); err != nil {
		return nil, err
	}
	return r, r.train(ctx, e)
}

// train computes the job's steps, and checks them against shared/serial.
func (r *reference) train(ctx context.Context, e *gradient.Engine) error {
	vectors := make([][]float32, r.layout.Vectors(e.Vectors()))
	for i := range vectors {
		vectors[i] = make([]float32, r.layout.Params)
	}
	e.Initial(vectors[0])
	m := monitor.New(&e.Plan.Spec)
	best := func(step int64) int64 {
		if m == nil || m.Best() == 0 {
			return step
		}
		return m.Best()
	}
	r.chains = []ledger.Chain{r.layout.Genesis()}
	scratch := gradient.NewScratch()
	for step := range r.steps + 1 {
		kept := make([][]float32, len(vectors))
		for i, v := range vectors {
			kept[i] = append([]float32(nil), v...)
		}
		r.states = append(r.states, kept)
		units := map[string][]byte{}
		if err := evaluate(ctx, e, scratch, e.Answering(vectors, step, step), 0, units); err != nil {
			return err
		}
		if m != nil && step > 0 && e.Plan.LastEvaluation(step) == step {
			figures, err := combined(e, units)
			if err != nil {
				return err
			}
			if m.Add(step, figures); m.Stopped() {
				r.steps = step
			}
		}
		if step == r.steps {
			if err := evaluate(ctx, e, scratch, e.Answering(vectors, step, best(step)), best(step), units); err != nil {
				return err
			}
		}
		r.units = append(r.units, units)
		if step == r.steps {
			break
		}
		nodes := map[tree.Node]ledger.Partial{}
		if err := partials(ctx, e, scratch, vectors[0], step, tree.Root, nodes); err != nil {
			return err
		}
		r.nodes = append(r.nodes, nodes)
		root := nodes[tree.Root]
		for c := range r.layout.Chunks() {
			if lo, hi := r.layout.Chunk(c); r.layout.Wire.Lossy() {
				rounding.Root(r.layout.Wire, root.Gradient[lo:hi], vectors[len(vectors)-1][lo:hi])
			}
		}
		next := slices.Clone(r.chains[step])
		for c, before := range next {
			_, sum, err := r.layout.EncodeRoot(nil, step, c, root.Gradient, root.Sums, before)
			if err != nil {
				return err
			}
			next[c] = before.Next(sum)
		}
		r.chains = append(r.chains, next)
		e.Advance(nil, vectors, step, m, root.Gradient, root.Sums)
	}
	want, err := serial.Train(ctx, e)
	if err != nil {
		return err
	}
	r.digest, r.metrics = registry.ParametersDigest(want.Params), maps.Clone(want.Metrics)
	if got := registry.ParametersDigest(e.Answering(vectors, r.steps, best(r.steps))); got != r.digest {
		return fmt.Errorf("parameters %s: shared/serial has %s", got, r.digest)
	}
	if !slices.Equal(r.chains[r.steps], want.Chain) {
		return fmt.Errorf("the update log's chain is not that of shared/serial")
	}
	return r.once(e)
}

// evaluate computes the units of an evaluation of every split with params.
func evaluate(ctx context.Context, e *gradient.Engine, s *gradient.Scratch, params []float32, best int64, into map[string][]byte) error {
	for split, refs := range e.Plan.Dataset.Splits {
		for block := range refs {
			unit, err := e.Evaluate(ctx, s, params, split, block)
			if err != nil {
				return err
			}
			into[job.Task{Split: split, Block: block, Best: best}.Unit()] = unit.Encode()
		}
	}
	return nil
}

// combined returns the metrics of the validation split.
func combined(e *gradient.Engine, units map[string][]byte) (map[string]float64, error) {
	var all []*metric.Sums
	for block := range e.Plan.Dataset.Splits[job.Validation] {
		unit, err := metric.DecodeSums(units[job.Task{Split: job.Validation, Block: block}.Unit()])
		if err != nil {
			return nil, err
		}
		all = append(all, unit)
	}
	return e.Metrics.Combine(all).Values, nil
}

// partials computes a node of a step and all nodes below it.
func partials(ctx context.Context, e *gradient.Engine, s *gradient.Scratch, params []float32, step int64, n tree.Node, into map[tree.Node]ledger.Partial) error {
	lo, hi, ok := n.Leaves(e.Plan.Spec.Microbatches)
	if !ok {
		return nil
	}
	partial := ledger.Partial{Gradient: make([]float32, len(params))}
	var err error
	if partial.Sums, err = e.Node(ctx, partial.Gradient, s, params, step, n, nil); err != nil {
		return err
	}
	into[n] = partial
	if hi-lo == 1 {
		return nil
	}
	if err := partials(ctx, e, s, params, step, n.Left(), into); err != nil {
		return err
	}
	return partials(ctx, e, s, params, step, n.Right(), into)
}

// once checks that each example counts exactly once in each whole epoch.
func (r *reference) once(e *gradient.Engine) error {
	per, rows := e.Plan.StepsPerEpoch(), int64(e.Plan.Dataset.Rows(job.Train))
	for epoch := range r.steps / per {
		var n int64
		for step := epoch * per; step < (epoch+1)*per; step++ {
			n += r.nodes[step][tree.Root].Sums.Examples
		}
		if n != rows {
			return fmt.Errorf("epoch %d: %d examples were counted of %d", epoch, n, rows)
		}
	}
	return nil
}
