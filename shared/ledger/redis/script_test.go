package redis

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/tree"
)

// The client library sends a commit again when its answer was lost. The script recognizes
// by the token that this call has committed.
func TestRetransmittedCommit(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		l, ctx := open(t, url), t.Context()
		for _, chunk := range []int{2, 100} {
			lay := ledgertest.Layout(7, chunk, 2)
			require.NoError(t, l.control.HSet(ctx, keysOf(lay).log(0), "0", "root", "s0", "seal").Err())
			pipe := l.pipeline(0)
			first := commitCall(ctx, pipe, lay, 0, lay.AllChunks(), ledger.Sums{}, nil, nil)
			again := pipe.run(ctx, first.script, first.keys, first.args...)
			other := commitCall(ctx, pipe, lay, 0, lay.AllChunks(), ledger.Sums{}, nil, nil)
			require.NoError(t, pipe.exec(ctx))
			for call, want := range map[*call]bool{first: true, again: true, other: false} {
				committed, err := committedBy(call)
				require.NoError(t, err)
				require.Equal(t, want, committed)
			}
			state, err := l.State(ctx, lay)
			require.NoError(t, err)
			require.EqualValues(t, 1, state.Committed)
		}
	})
}

// The server refused the root of a job of one chunk, for example for lack of memory, but
// not the commit after it in the same pipeline.
func TestCommitWithoutRoot(t *testing.T) {
	l, ctx := open(t, redistest.Mini(t)), t.Context()
	lay := ledgertest.Layout(7, 100, 2)
	_, err := l.Put(ctx, lay, 0, 2, ledgertest.Partial(lay, 0, 2))
	require.NoError(t, err)
	_, err = l.commitChunks(ctx, ledgertest.Layout(7, 100, 2), 0, []int{0}, ledger.Sums{})
	require.ErrorContains(t, err, "vanished")
	nodes, err := l.Arrived(ctx, lay, 0)
	require.NoError(t, err)
	require.Equal(t, []tree.Node{2}, nodes)
}

// A trim was interrupted after it had raised the floor. The next trim finishes it.
func TestCutTrim(t *testing.T) {
	l, ctx := open(t, redistest.Mini(t)), t.Context()
	lay := ledgertest.Layout(7, 3, 2)
	k := keysOf(lay)
	v := make([]float32, 7)
	for step := range int64(100) {
		_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: ledger.Partial{Gradient: v}, Before: lay.Genesis()})
		require.NoError(t, err)
	}
	pipe := l.pipeline(0)
	pipe.HSet(ctx, k.snapshot(0), "90", "cut off too")
	pipe.run(ctx, raiseScript, []string{k.log(0), k.snapshot(0)}, 90, jobLife.Milliseconds())
	pipe.HSet(ctx, k.snapshot(1), "80", "left behind")
	pipe.HSet(ctx, k.log(1), "s70", "left behind", "71", "left behind")
	require.NoError(t, pipe.exec(ctx))
	require.NoError(t, ledgertest.Begin(ctx, l, lay, ledger.Snapshot{Step: 95, Vectors: [][]float32{v}, Chain: lay.Genesis()}))
	kept := []string{"95", "96", "97", "98", "99", "s95", "s96", "s97", "s98", "s99", "floor"}
	require.ElementsMatch(t, append([]string{"90", "s90", "92", "s92", "94", "s94"}, kept...), logFields(t, l, lay, 0), "the floor was at 90 already")
	for c := range lay.Chunks() {
		fields, err := l.control.HKeys(ctx, k.snapshot(c)).Result()
		require.NoError(t, err)
		require.Equal(t, []string{"95"}, fields)
	}
}

// A trim leaves every other entry until the next trim, in different steps for different
// chunks. Nobody can read them.
func TestEntriesLinger(t *testing.T) {
	l, ctx := open(t, redistest.Mini(t)), t.Context()
	lay := ledgertest.Layout(7, 3, 2)
	v := make([]float32, 7)
	chains := []ledger.Chain{lay.Genesis()}
	for step := range int64(8) {
		_, after, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: ledger.Partial{Gradient: v}, Before: chains[step]})
		require.NoError(t, err)
		chains = append(chains, after)
	}
	trim := func(step int64) {
		require.NoError(t, l.PutSnapshot(ctx, lay, ledger.Snapshot{Step: step, Vectors: [][]float32{v}, Chain: chains[step]}))
	}
	trim(4)
	kept := []string{"4", "s4", "5", "s5", "6", "s6", "7", "s7", "floor"}
	for c, lingering := range [][]string{{"0", "s0", "2", "s2"}, {"1", "s1", "3", "s3"}, {"0", "s0", "2", "s2"}} {
		require.ElementsMatch(t, append(lingering, kept...), logFields(t, l, lay, c))
	}
	for step := range int64(4) {
		_, _, err := l.Root(ctx, lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: v, Before: chains[step]})
		require.ErrorIs(t, err, job.ErrStale)
	}
	trim(6)
	kept = kept[4:]
	for c, lingering := range [][]string{{"4", "s4"}, {"5", "s5"}, {"4", "s4"}} {
		require.ElementsMatch(t, append(lingering, kept...), logFields(t, l, lay, c))
	}
}

func logFields(t *testing.T, l *Ledger, lay ledger.Layout, chunk int) []string {
	t.Helper()
	fields, err := l.control.HKeys(t.Context(), keysOf(lay).log(chunk)).Result()
	require.NoError(t, err)
	return fields
}

// A trim deletes the partials of steps below the floor, also those of calls that were
// interrupted before they recorded the arrival.
func TestPartialsAreTrimmed(t *testing.T) {
	l, ctx := open(t, redistest.Mini(t)), t.Context()
	lay := ledgertest.Layout(7, 3, 2)
	k := keysOf(lay)
	for _, step := range []int64{3, 4, 5} {
		_, err := l.Put(ctx, lay, step, 2, ledgertest.Partial(lay, step, 2))
		require.NoError(t, err)
	}
	pipe := l.pipeline(0)
	pipe.SAdd(ctx, k.steps(2), 1)
	pipe.HSetNX(ctx, k.partials(2, 1), "2", "cut off")
	require.NoError(t, pipe.exec(ctx))
	require.NoError(t, ledgertest.Begin(ctx, l, lay, ledger.Snapshot{Step: 5, Vectors: [][]float32{make([]float32, 7)}, Chain: lay.Genesis()}))
	for c := range lay.Chunks() {
		steps, err := l.control.SMembers(ctx, k.steps(c)).Result()
		require.NoError(t, err)
		require.Equal(t, []string{"5"}, steps)
		for _, step := range []int64{1, 3, 4} {
			require.NotContains(t, allKeys(t, l), k.partials(c, step))
		}
		require.Contains(t, allKeys(t, l), k.partials(c, 5))
	}
}

// The server is replaced by an older copy of itself after a snapshot was stored and before
// the trim. The trim deletes nothing from which the job continues.
func TestATrimThatComesTooLateForItsSnapshot(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		l, ctx := open(t, url), t.Context()
		lay := ledgertest.Layout(7, 3, 1)
		v := []float32{1, 2, 3, 4, 5, 6, 7}
		require.NoError(t, ledgertest.Begin(ctx, l, lay, ledger.Snapshot{Step: 3, Vectors: [][]float32{v}, Chain: lay.Genesis()}))
		_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 3, Chunks: lay.AllChunks(), Root: ledger.Partial{Gradient: v}, Before: lay.Genesis()})
		require.NoError(t, err)
		before, err := l.State(ctx, lay)
		require.NoError(t, err)
		require.EqualValues(t, 4, before.Committed)

		require.NoError(t, l.trimAll(ctx, lay, 9)) // for a snapshot that the older copy does not have
		after, err := l.State(ctx, lay)
		require.NoError(t, err)
		require.Equal(t, before, after)
		got := make([]float32, 7)
		step, _, err := l.Snapshot(ctx, lay, [][]float32{got})
		require.NoError(t, err)
		require.EqualValues(t, 3, step)
		require.Equal(t, v, got)
		root := make([]float32, 7)
		_, _, err = l.Root(ctx, lay, ledger.LogRead{Step: 3, Chunks: lay.AllChunks(), Dst: root, Before: lay.Genesis()})
		require.NoError(t, err)
		require.Equal(t, v, root)
	})
}

// The floor of a log never decreases, whatever the order of trims.
func TestFloorNeverSinks(t *testing.T) {
	l, ctx := open(t, redistest.Mini(t)), t.Context()
	lay := ledgertest.Layout(1, 1, 1)
	for _, c := range [][2]int64{{5, 0}, {3, 5}, {5, 5}, {0, 5}, {1e15, 5}, {7, 1e15}, {1, 1e15}} {
		pipe := l.pipeline(0)
		pipe.HSet(ctx, keysOf(lay).snapshot(0), c[0], "")
		raise := pipe.run(ctx, raiseScript, []string{keysOf(lay).log(0), keysOf(lay).snapshot(0)}, c[0], 1000)
		require.NoError(t, pipe.exec(ctx))
		require.EqualValues(t, c[1], raise.Val(), "the floor before")
	}
}

func TestLossesByPages(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		l, ctx := open(t, url), t.Context()
		lay := ledgertest.Layout(1, 1, 1)
		const n, base = 2*lossPage + 7, 100
		require.NoError(t, ledgertest.Begin(ctx, l, lay, ledger.Snapshot{Step: base, Vectors: [][]float32{{0}}, Chain: lay.Genesis()}))
		entries := make([]any, n)
		for i := range entries {
			entries[i] = lossEntry(ledger.Sums{Examples: base + int64(i), Loss: float64(i) / 3})
		}
		require.NoError(t, l.control.RPush(ctx, keysOf(lay).losses(), entries...).Err())
		got, err := l.Losses(ctx, lay, 50, 1<<50)
		require.NoError(t, err)
		require.Len(t, got, n)
		for i, p := range got {
			require.Equal(t, ledger.Progress{Step: base + int64(i), Sums: ledger.Sums{Examples: base + int64(i), Loss: float64(i) / 3}}, p)
		}
		got, err = l.Losses(ctx, lay, base+lossPage-1, base+lossPage+1)
		require.NoError(t, err)
		require.Len(t, got, 2)
	})
}

func TestKeys(t *testing.T) {
	lay := ledgertest.Layout(1, 1, 1)
	lay.Job, lay.Run = "digits", "r1"
	k := keysOf(lay)
	require.Equal(t, "tributary:{digits.r1:3}:partials:41", k.partials(3, 41))
	require.Equal(t, "tributary:{digits.r1:0}:control", k.control())
	for _, f := range []string{"", "-1", "d", "dx", "c1", "1", "d-1"} {
		_, ok := arrivedNode(f)
		require.False(t, ok, f)
	}
	n, ok := arrivedNode("d" + fmt.Sprint(tree.MaxLeaves))
	require.True(t, ok)
	require.EqualValues(t, tree.MaxLeaves, n)
}

// arrival handles also the answers of the arrive script that a Put never meets.
func TestArriveSaysWhatIsMissing(t *testing.T) {
	put := &putting{lay: ledgertest.Layout(1, 1, 2), node: 2, partial: ledger.Partial{Gradient: []float32{1}}}
	for _, reply := range [][]string{nil, {"missing"}, {"?"}, {"complete", "2"}, {"complete"}, {"differs"}, {"values"}, {"values", "3", "seal", "data"}} {
		_, err := put.arrival(0, reply)
		require.Error(t, err, "%v", reply)
	}
	a, err := put.arrival(0, []string{"complete", "3", "x"})
	require.NoError(t, err)
	require.Equal(t, []tree.Node{2, 3}, a.Cover)
}

// A worker appended all or some chunks of a root and was killed before it ran the commit
// script. The next call of Arrived lands them.
func TestReadersCommitWhatIsInTheLog(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		l, ctx := open(t, url), t.Context()
		for _, logged := range [][]int{{0, 1, 2, 3}, {1, 3}} {
			lay := ledgertest.Layout(7, 2, 2)
			lay.Run = job.Run(fmt.Sprint("r", len(logged)))
			root := ledgertest.Partial(lay, 0, tree.Root)
			var entries []entry
			for _, c := range logged {
				entries = append(entries, entry{chunk: c, before: lay.Genesis()[c]})
			}
			require.NoError(t, l.appendChunks(ctx, lay, ledger.LogWrite{Root: root}, entries))
			state, err := l.State(ctx, lay)
			require.NoError(t, err)
			require.Zero(t, state.Committed, "nobody has committed them")

			_, err = l.Arrived(ctx, lay, 0)
			require.NoError(t, err)
			if len(logged) < lay.Chunks() { // another worker appends the others later
				committed, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 0, Chunks: []int{0, 2}, Root: root, Before: lay.Genesis()})
				require.NoError(t, err)
				require.True(t, committed)
			}
			state, err = l.State(ctx, lay)
			require.NoError(t, err)
			require.EqualValues(t, 1, state.Committed)
			losses, err := l.Losses(ctx, lay, 0, 1)
			require.NoError(t, err)
			require.Equal(t, root.Sums, losses[0].Sums)
		}
	})
}
