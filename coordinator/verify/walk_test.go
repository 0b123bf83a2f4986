package verify

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/serial"
)

// Each request about a correct job gives the result "verified", and everything requested
// was compared.
func TestAnySampleOfAnyGoodJobVerifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Replace(gradienttest.Regression, "microbatches: 4", "microbatches: "+rapid.SampledFrom([]string{"1", "3", "4", "16"}).Draw(t, "microbatches"), 1)
		if rapid.Bool().Draw(t, "adam") {
			text = strings.Replace(text, "sgd: {learning_rate: 0.05, momentum: 0.9}", "adam: {learning_rate: 0.01}", 1)
		}
		steps := rapid.Int64Range(1, 16).Draw(t, "steps") // of 16
		p := play(t, gradienttest.Job{Spec: text, ChunkLen: rapid.IntRange(1, 30).Draw(t, "chunk")}, steps, nil)
		var s *Subject
		switch rapid.SampledFrom([]string{"running", "snapshot", "finished"}).Draw(t, "state") {
		case "running":
			s = p.running()
		case "snapshot":
			p.snapshot(rapid.Int64Range(1, steps).Draw(t, "snapshot"))
			s = p.running()
		default:
			s = p.finished(rapid.SliceOfNDistinct(rapid.Int64Range(1, steps), 0, 3, rapid.ID).Draw(t, "checkpoints")...)
		}
		var r Request
		want := steps
		switch rapid.SampledFrom([]string{"none", "all", "sample", "steps"}).Draw(t, "request") {
		case "all":
			r.All = true
		case "sample":
			r.Sample = rapid.IntRange(1, 20).Draw(t, "sample")
			want = min(steps, int64(r.Sample))
		case "steps":
			r.Steps = rapid.SliceOfNDistinct(rapid.Int64Range(0, steps-1), 1, -1, rapid.ID).Draw(t, "list")
			want = int64(len(r.Steps))
		}
		v := verify(t, s, r)
		require.Equal(t, job.Verified, v.State, "%+v", v)
		require.Equal(t, want, v.Asked)
		require.Equal(t, v.Computed, v.Compared)
		require.GreaterOrEqual(t, v.Computed, want)
		require.Empty(t, v.Notes)
		require.Equal(t, v.ParametersSHA256 != "" && s.Final != "", v.ParametersSHA256 == s.Final && s.Final != "")
	})
}

func TestACheckpointSavesTheStepsBeforeIt(t *testing.T) {
	p := play(t, gradienttest.Job{}, 16, nil)
	v := verify(t, p.finished(4, 8, 12), Request{Steps: []int64{13, 1, 5}})
	require.Equal(t, job.Verified, v.State)
	require.EqualValues(t, 2+2+2, v.Computed, "from 0, 4 and 12")
	require.EqualValues(t, 16, verify(t, p.finished(4, 8, 12), Request{}).Computed, "all steps, from the start")
}

func TestRequestsThatMeanNothing(t *testing.T) {
	s := play(t, gradienttest.Job{}, 5, nil).running()
	for want, r := range map[string]Request{
		"steps: 5: the job has committed 5 steps, want 0 to 4": {Steps: []int64{1, 5}},
		"steps: -1: the job has committed 5 steps":             {Steps: []int64{-1}},
		"sample: -3: want 1 to 1000":                           {Sample: -3},
		"sample: 1001: want 1 to 1000":                         {Sample: 1001},
		"steps, sample, all: want one of them":                 {Sample: 1, All: true},
		"steps: the list is empty":                             {Steps: []int64{}},
		"want at most 65536, or all":                           {Steps: make([]int64, maxAsked+1)},
	} {
		v, err := (&Verifier{}).Verify(t.Context(), s, r)
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
		require.Equal(t, job.Unknown, v.State)
		require.Contains(t, v.Error, want)
	}
}

// The walk finds a checkpoint whose vectors were changed.
func TestAnAlteredCheckpointIsFound(t *testing.T) {
	p := play(t, gradienttest.Job{}, 16, nil)
	s := p.finished(4, 8)
	p.folds[8].Vectors[1][3]++
	d := different(t, s, Request{})
	require.Equal(t, "checkpoint", d.What)
	require.EqualValues(t, 7, d.Step)
	require.Equal(t, 3, *d.Element)
	require.Contains(t, d.Message, "the checkpoint after step 8: vector 1, element 3: it has")

	p = play(t, gradienttest.Job{}, 16, nil)
	p.folds[8].Chain = p.folds[7].Chain
	d = different(t, p.finished(8), Request{Steps: []int64{9}})
	require.Contains(t, d.Message, "they belong to two histories")
}

// The walk skips an unreadable checkpoint and reports that.
func TestALostCheckpointIsPassedOver(t *testing.T) {
	s := play(t, gradienttest.Job{}, 16, nil).finished(4, 8)
	s.Starts[1].Read = func(context.Context) (ledger.Snapshot, error) { return ledger.Snapshot{}, job.ErrNotFound }
	v := verify(t, s, Request{Steps: []int64{9}})
	require.Equal(t, job.Verified, v.State)
	require.EqualValues(t, 6, v.Computed, "from step 4 on")
	require.Equal(t, []string{"the checkpoint after step 8 cannot be read and is skipped: not found"}, v.Notes)
}

func TestParametersThatWereChangedAfterwards(t *testing.T) {
	p := play(t, gradienttest.Job{}, 16, nil)
	s := p.finished()
	s.Final = "00"
	d := different(t, s, Request{Sample: 1000})
	require.Equal(t, "parameters", d.What)
	require.Equal(t, job.WrongRecord, d.Wrong)
	require.Contains(t, d.Message, "parameters_sha256 after step 15: recorded 00, recomputed ")
	require.Contains(t, d.Message, "every step before is as recorded")
	s.History = &history.History{}
	require.Contains(t, different(t, s, Request{}).Message, "there are no marks from step 0 on to compare with")

	s = p.finished()
	s.Saved = func(context.Context) error { return errors.Join(errors.New("weights"), job.ErrCorrupt) }
	require.Contains(t, different(t, s, Request{}).Message, "the saved model: weights")
	s.Saved = func(context.Context) error { return job.ErrNotFound }
	require.Equal(t, []string{"there are no saved parameters to compare with: not found"}, verify(t, s, Request{}).Notes)
}

// If some steps have no marks, the next step with a mark shows the fault.
func TestAHoleInTheHistory(t *testing.T) {
	p := play(t, gradienttest.Job{}, 16, wrongAt(6, 2, zeroed))
	clear(p.marks[5:9])
	d := different(t, p.finished(), Request{})
	require.EqualValues(t, 9, d.Step)
	require.Contains(t, d.Message, "step 9, or a step since step 5 (their marks are not known),")
	require.Nil(t, d.Microbatch)

	p = play(t, gradienttest.Job{}, 16, nil)
	clear(p.marks[5:9])
	require.Equal(t, job.Verified, verify(t, p.finished(), Request{Steps: []int64{4, 9}}).State)
	_, err := (&Verifier{}).Verify(t.Context(), p.finished(), Request{Steps: []int64{4, 7}})
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorContains(t, err, "steps 5 to 7 were computed again, but there is no mark")
	require.Equal(t, job.Verified, verify(t, p.finished(8), Request{Steps: []int64{7}}).State, "the checkpoint after it has the same")
}

func TestALostOrDamagedBlockIsNamed(t *testing.T) {
	p := play(t, gradienttest.Job{}, 16, nil)
	lost := p.e.Plan.Dataset.Splits[job.Train][1].Digest
	require.NoError(t, p.store.Delete(t.Context(), lost))
	e, err := gradient.Compile(t.Context(), p.e.Plan, p.store, dataset.NewCache(p.store, 0))
	require.NoError(t, err)
	p.e = e
	v, err := (&Verifier{}).Verify(t.Context(), p.finished(), Request{})
	require.ErrorIs(t, err, job.ErrNotFound)
	require.Equal(t, job.Unknown, v.State)
	require.Contains(t, v.Error, "read block 1 of the train split")
	require.Contains(t, v.Error, string(lost))
}

func TestAStopEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&Verifier{}).Verify(ctx, play(t, gradienttest.Job{}, 5, nil).running(), Request{})
	require.ErrorIs(t, err, context.Canceled)
}

// The reference's walk and the fleet of these tests agree.
func TestThePastIsTheReferences(t *testing.T) {
	p := play(t, gradienttest.Job{}, 16, nil)
	r, err := serial.Train(t.Context(), p.e)
	require.NoError(t, err)
	require.Equal(t, r.Chain, p.folds[16].Chain)
	require.Equal(t, r.Params, p.folds[16].Vectors[0])
}

// A sample of 0 is refused, because it would mean all steps.
func TestASampleOfNoneIsRefused(t *testing.T) {
	for n, want := range map[int]string{0: "sample: 0: want 1 to 1000", -1: "sample: -1", 1001: "sample: 1001"} {
		var r Request
		err := r.SetSample(&n)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	three := 3
	var r Request
	require.NoError(t, r.SetSample(nil))
	require.Equal(t, Request{}, r)
	require.NoError(t, r.SetSample(&three))
	require.Equal(t, Request{Sample: 3}, r)
}
