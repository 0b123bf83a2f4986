package checkpoint

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

var ref = job.Ref{Job: "digits", Run: "r1"}

func none() {}

// listing is a store in memory that can list what it holds.
type listing struct {
	*blob.Memory
	mu   sync.Mutex
	held map[job.Digest]bool
}

func newListing() *listing {
	return &listing{Memory: blob.NewMemory(0), held: map[job.Digest]bool{}}
}

func (l *listing) Put(ctx context.Context, data []byte) (job.Digest, error) {
	digest, err := l.Memory.Put(ctx, data)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held[digest] = true
	}
	return digest, err
}

func (l *listing) Delete(ctx context.Context, digest job.Digest) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, digest)
	return l.Memory.Delete(ctx, digest)
}

func (l *listing) digests() []job.Digest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.held))
}

// state returns a state of two vectors [P] after some steps, with an evaluation.
func state(ref job.Ref, step int64, params int) *State {
	s := &State{
		Ref: ref, Plan: blob.DigestOf([]byte("plan")), Numerics: "n",
		Snapshot:    ledger.Snapshot{Step: step, Vectors: [][]float32{make([]float32, params), make([]float32, params)}, Chain: ledger.Chain{{1}, {2}}},
		Evaluations: map[string][]byte{"0/validation": []byte(`{"loss": 1}`), "0/test": {0xff, 0}},
	}
	for i := range params {
		s.Snapshot.Vectors[0][i], s.Snapshot.Vectors[1][i] = float32(i)+float32(step), -float32(i)
	}
	for i := range step {
		s.Losses = append(s.Losses, ledger.Sums{Examples: i + 1, Loss: 1 / float64(i+1)})
		s.Marks = append(s.Marks, ledger.Mark{byte(i + 1)})
	}
	return s
}

func write(t *testing.T, store blob.Store, s *State) *Draft {
	t.Helper()
	d, err := NewDraft(s)
	require.NoError(t, err)
	require.NoError(t, d.Write(t.Context(), store, none))
	return d
}

func read(ctx context.Context, store blob.Store, digest job.Digest) (*State, error) {
	m, err := Open(ctx, store, digest)
	if err != nil {
		return nil, err
	}
	return m.Read(ctx, store)
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, params := range []int{0, 1, 1000, partLen, partLen + 1} {
		t.Run(fmt.Sprint(params), func(t *testing.T) {
			store := newListing()
			s := state(ref, 3, params)
			d := write(t, store, s)
			got, err := read(t.Context(), store, d.Digest)
			require.NoError(t, err)
			require.Equal(t, s, got)
			require.NoError(t, Verify(t.Context(), store, d.Digest))

			again, err := NewDraft(s)
			require.NoError(t, err)
			require.Equal(t, d.Digest, again.Digest, "the same state, the same bytes")

			require.NoError(t, Delete(t.Context(), store, d.Digest))
			require.Empty(t, store.digests())
			require.NoError(t, Delete(t.Context(), store, d.Digest))
		})
	}
}

func TestManyLossesAndEvaluationsAreSplit(t *testing.T) {
	s := state(ref, 2*lossesLen+1, 1)
	for i := range 9 {
		s.Evaluations[fmt.Sprintf("%d/validation", i)] = make([]byte, unitBytes/4)
	}
	store := newListing()
	d := write(t, store, s)
	require.Len(t, d.Manifest.Losses, 3)
	require.Greater(t, len(d.Manifest.Evaluations), 2)
	got, err := read(t.Context(), store, d.Digest)
	require.NoError(t, err)
	require.Equal(t, s, got)
}

// Deleting one checkpoint must never damage another, even if both have the same vectors.
func TestCheckpointsShareNoBlob(t *testing.T) {
	owner := map[job.Digest]string{}
	for _, r := range []job.Ref{ref, {Job: "digits", Run: "r2"}, {Job: "digit", Run: "r1"}} {
		for _, step := range []int64{5, 6} {
			s := state(r, step, 10)
			s.Snapshot.Vectors[1] = s.Snapshot.Vectors[0]
			clear(s.Snapshot.Vectors[0])
			d, err := NewDraft(s)
			require.NoError(t, err)
			name := fmt.Sprint(r, step)
			for _, digest := range append(d.Manifest.Parts(), d.Digest) {
				require.Empty(t, owner[digest], name)
				owner[digest] = name
			}
		}
	}
}

func TestAStateWithoutItsLossesIsNoCheckpoint(t *testing.T) {
	s := state(ref, 5, 1)
	s.Losses = s.Losses[:4]
	_, err := NewDraft(s)
	require.ErrorIs(t, err, job.ErrInvalid)
}

// A checkpoint that was written before marks existed has none, and the same bytes as then.
func TestACheckpointWithoutMarks(t *testing.T) {
	store := newListing()
	s := state(ref, 5, 1)
	s.Marks = nil
	d := write(t, store, s)
	require.NotContains(t, string(d.Encoded), "marks")
	got, err := read(t.Context(), store, d.Digest)
	require.NoError(t, err)
	require.Equal(t, s, got)
	s.Marks = make([]ledger.Mark, 4)
	_, err = NewDraft(s)
	require.ErrorIs(t, err, job.ErrInvalid)
}

func TestACheckpointOfAnotherIsNotTaken(t *testing.T) {
	d, err := NewDraft(state(ref, 5, 7))
	require.NoError(t, err)
	lay := ledger.Layout{Ref: ref, Plan: blob.DigestOf([]byte("plan")), Params: 7, ChunkLen: 4, Microbatch: 1}
	require.NoError(t, d.Manifest.Of(lay))
	for _, spoil := range []func(*ledger.Layout){
		func(l *ledger.Layout) { l.Run = "r2" },
		func(l *ledger.Layout) { l.Plan = blob.DigestOf(nil) },
		func(l *ledger.Layout) { l.Params = 8 },
		func(l *ledger.Layout) { l.ChunkLen = 3 },
	} {
		other := lay
		spoil(&other)
		require.ErrorIs(t, d.Manifest.Of(other), job.ErrCorrupt)
	}
}

// torn is a store in which one blob is missing, or holds the bytes of another.
type torn struct {
	blob.Store
	digest job.Digest
	data   []byte // nil: missing
}

func (s torn) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	if digest != s.digest {
		return s.Store.Get(ctx, digest)
	}
	if s.data == nil {
		return nil, job.ErrNotFound
	}
	return s.data, nil
}

func TestTornPartsAndManifestsAreNoticed(t *testing.T) {
	store := newListing()
	d := write(t, store, state(ref, 5, 10))
	other := write(t, store, state(ref, 6, 10))
	for i, digest := range append(d.Manifest.Parts(), d.Digest) {
		whole, err := store.Get(t.Context(), digest)
		require.NoError(t, err)
		require.ErrorIs(t, Verify(t.Context(), torn{store, digest, nil}, d.Digest), job.ErrNotFound)
		for _, data := range [][]byte{{}, whole[:len(whole)/2], whole[:len(whole)-1]} {
			require.ErrorIs(t, Verify(t.Context(), torn{store, digest, data}, d.Digest), job.ErrCorrupt, "%d, %d bytes", i, len(data))
		}
		if i < len(other.Manifest.Parts()) {
			data, err := store.Get(t.Context(), other.Manifest.Parts()[i])
			require.NoError(t, err)
			require.ErrorIs(t, Verify(t.Context(), torn{store, digest, data}, d.Digest), job.ErrCorrupt, "another checkpoint's part")
		}
	}
	require.NoError(t, Verify(t.Context(), store, d.Digest))
}

// Every operation of a writer fails in turn, before it takes effect, after it, and for ever
// from then on. The writer leaves no blob unless the store prevents it, and the next writer
// makes the same checkpoint.
func TestWritingFailsAtEveryOperation(t *testing.T) {
	s := state(ref, 5, 10)
	d, err := NewDraft(s)
	require.NoError(t, err)
	counting := &blobtest.Faulty{Store: newListing()}
	require.NoError(t, d.Write(t.Context(), counting, none))
	n := counting.Calls()
	require.EqualValues(t, 2*(len(d.parts)+1), n, "each blob is put and read back")
	for k := range n {
		for _, after := range []bool{false, true} {
			for _, lasting := range []bool{false, true} {
				t.Run(fmt.Sprint(k+1, after, lasting), func(t *testing.T) {
					store := newListing()
					faulty := &blobtest.Faulty{Store: store, At: k + 1, After: after, Lasting: lasting, Err: job.ErrFull}
					err := d.Write(t.Context(), faulty, none)
					require.ErrorIs(t, err, job.ErrFull)
					require.ErrorContains(t, err, "checkpoint 5 of digits.r1")
					if !lasting || after {
						require.Empty(t, store.digests(), "nothing half-written stays")
					}
					write(t, store, s)
					got, err := read(t.Context(), store, d.Digest)
					require.NoError(t, err)
					require.Equal(t, s, got)
				})
			}
		}
	}
}

func TestDeletingFailsAtEveryOperation(t *testing.T) {
	s := state(ref, 5, 10)
	counting := &blobtest.Faulty{Store: newListing()}
	d := write(t, counting.Store, s)
	require.NoError(t, Delete(t.Context(), counting, d.Digest))
	for k := range counting.Calls() {
		for _, after := range []bool{false, true} {
			store := newListing()
			write(t, store, s)
			require.ErrorIs(t, Delete(t.Context(), &blobtest.Faulty{Store: store, At: k + 1, After: after}, d.Digest), blobtest.ErrInjected)
			require.NoError(t, Delete(t.Context(), store, d.Digest))
			require.Empty(t, store.digests())
		}
	}
}

// A store that has no room for the last few bytes reports that, and is empty afterwards.
func TestAFullStore(t *testing.T) {
	s := state(ref, 5, 1000)
	d, err := NewDraft(s)
	require.NoError(t, err)
	all := d.Manifest.Bytes + int64(len(d.Encoded))
	store := blob.NewMemory(all - 1)
	require.ErrorIs(t, d.Write(t.Context(), store, none), job.ErrFull)
	_, err = store.Put(t.Context(), make([]byte, all-1))
	require.NoError(t, err, "nothing was left behind")
	require.NoError(t, d.Write(t.Context(), blob.NewMemory(all), none))
}
