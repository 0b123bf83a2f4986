package plan

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

func of(rows, batch, microbatches, epochs int) *Plan {
	p := &Plan{Version: Version}
	p.Spec.Batch, p.Spec.Microbatches, p.Spec.Epochs = batch, microbatches, epochs
	p.Spec.Evaluate.EveryEpochs = 1
	p.Dataset.Splits = map[job.Split][]dataset.BlockRef{
		job.Train:      {{Rows: rows / 2}, {Rows: rows - rows/2}},
		job.Validation: {{Rows: 1}},
	}
	return p
}

func TestTheLastBatchIsShortOrLeftOut(t *testing.T) {
	p := of(10, 4, 2, 3)
	require.Equal(t, int64(9), p.Steps())
	epoch, lo, hi := p.Batch(5)
	require.Equal(t, []any{int64(1), 8, 10}, []any{epoch, lo, hi})

	p.Spec.DropLast = true
	require.Equal(t, int64(6), p.Steps())
	epoch, lo, hi = p.Batch(5)
	require.Equal(t, []any{int64(2), 4, 8}, []any{epoch, lo, hi})

	p.Spec.Steps = 100
	require.Equal(t, int64(100), p.Steps(), "steps go before epochs")
}

func TestEveryPositionIsInOneMicrobatchOfOneStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 200).Draw(t, "rows")
		batch := rapid.IntRange(1, 70).Draw(t, "batch")
		p := of(rows, batch, rapid.IntRange(1, batch).Draw(t, "microbatches"), 2)
		next, of := 0, int64(0)
		for step := range p.Steps() {
			epoch, lo, hi := p.Batch(step)
			if epoch != of {
				require.Equal(t, rows, next, "an epoch visits every row")
				next, of = 0, epoch
			}
			for leaf := range p.Spec.Microbatches {
				a, b := p.Microbatch(hi-lo, leaf)
				require.Equal(t, next, lo+a)
				next = lo + b
			}
		}
		require.Equal(t, rows, next)
	})
}

func TestWhenValidationIsEvaluated(t *testing.T) {
	p := of(10, 5, 1, 4) // two steps an epoch
	after := func() (steps []int64) {
		for s := range p.Steps() + 1 {
			if p.EvaluateAfter(s) {
				steps = append(steps, s)
			}
		}
		return steps
	}
	require.Equal(t, []int64{2, 4, 6}, after(), "the end has an evaluation of its own")
	p.Spec.Evaluate.EveryEpochs = 2
	require.Equal(t, []int64{4}, after())
	p.Spec.Evaluate.EverySteps = 3
	require.Equal(t, []int64{3, 6}, after())
	delete(p.Dataset.Splits, job.Validation)
	require.Empty(t, after())
}

func TestAPlanReadsBackAndHasOneDigest(t *testing.T) {
	made := of(10, 4, 2, 3)
	made.ChunkLen = 8
	made.Dataset = dataset.Manifest{
		Version: 1, Features: 1, Targets: 1,
		Splits: map[job.Split][]dataset.BlockRef{job.Train: {{Digest: blob.DigestOf(nil), Rows: 10, Bytes: 144}}},
		Preprocessing: &dataset.Preprocessing{
			Columns: []dataset.Column{{Name: "x", Kind: dataset.Numeric, Scale: 1}},
			Label:   dataset.Column{Name: "y", Kind: dataset.Numeric, Scale: 1},
		},
	}
	data, digest, err := made.Encode()
	require.NoError(t, err)
	p, err := Decode(data)
	require.NoError(t, err)
	_, again, err := p.Encode()
	require.NoError(t, err)
	require.Equal(t, digest, again)
}

// Decode refuses a plan whose numbers would make it divide by zero or allocate without
// limit.
func TestAPlanOfAStrangerIsRefused(t *testing.T) {
	good := func() *Plan {
		p := of(10, 4, 2, 3)
		p.ChunkLen = 8
		p.Dataset = dataset.Manifest{
			Version: 1, Features: 1, Targets: 1,
			Splits: map[job.Split][]dataset.BlockRef{job.Train: {{Digest: blob.DigestOf(nil), Rows: 10, Bytes: 144}}},
			Preprocessing: &dataset.Preprocessing{
				Columns: []dataset.Column{{Name: "x", Kind: dataset.Numeric, Scale: 1}},
				Label:   dataset.Column{Name: "y", Kind: dataset.Numeric, Scale: 1},
			},
		}
		return p
	}
	for name, change := range map[string]func(*Plan){
		"chunk_len: 0":                func(p *Plan) { p.ChunkLen = 0 },
		"chunk_len: -1":               func(p *Plan) { p.ChunkLen = -1 },
		"chunk_len: 1073741824":       func(p *Plan) { p.ChunkLen = 1 << 30 },
		"spec.batch: 0":               func(p *Plan) { p.Spec.Batch = 0 },
		"spec.microbatches: 0":        func(p *Plan) { p.Spec.Microbatches = 0 },
		"spec.microbatches: 5":        func(p *Plan) { p.Spec.Microbatches = 5 },
		"spec.steps: -1":              func(p *Plan) { p.Spec.Steps = -1 },
		"spec.evaluate.every_steps":   func(p *Plan) { p.Spec.Evaluate.EverySteps = -5 },
		"spec.checkpoint.every_steps": func(p *Plan) { p.Spec.Checkpoint.EverySteps = -1 },
		"init: ":                      func(p *Plan) { p.Init = "../x" },
		"0 steps an epoch":            func(p *Plan) { p.Spec.Batch, p.Spec.DropLast = 11, true },
		"and 0 in all":                func(p *Plan) { p.Spec.Epochs = 0 },
	} {
		p := good()
		change(p)
		data, _, err := p.Encode()
		require.NoError(t, err)
		_, err = Decode(data)
		require.ErrorIs(t, err, job.ErrCorrupt, name)
		require.ErrorContains(t, err, name)
	}
	data, _, err := good().Encode()
	require.NoError(t, err)
	_, err = Decode(data)
	require.NoError(t, err)
}

func TestAForeignPlanIsRefused(t *testing.T) {
	_, err := Decode([]byte(`{"version": 99}`))
	require.ErrorContains(t, err, "plan has version 99; this program reads versions up to 2")
	require.ErrorIs(t, err, job.ErrUnsupported)
	_, err = Decode([]byte(`{"version": 3, "needs": "of another type"}`))
	require.ErrorIs(t, err, job.ErrUnsupported)
	_, err = Decode([]byte(`{"version": 0}`))
	require.ErrorIs(t, err, job.ErrCorrupt)
	_, err = Decode([]byte(`{"version": 1}`))
	require.ErrorIs(t, err, job.ErrCorrupt)
	_, err = Decode([]byte(`{`))
	require.ErrorIs(t, err, job.ErrCorrupt)
}
