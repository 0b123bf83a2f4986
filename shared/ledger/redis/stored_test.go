package redis

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// writeStep stores the root of step 0, a snapshot before it, and a partial of step 1, so
// that tests can damage one of each.
func writeStep(t *testing.T, l *Ledger, lay ledger.Layout) {
	t.Helper()
	ctx := t.Context()
	root := ledgertest.Partial(lay, 0, tree.Root)
	_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 0, Chunks: lay.AllChunks(), Root: root, Before: lay.Genesis()})
	require.NoError(t, err)
	require.NoError(t, l.PutSnapshot(ctx, lay, ledger.Snapshot{Vectors: [][]float32{root.Gradient, root.Gradient}, Chain: lay.Genesis()}))
	_, err = l.Put(ctx, lay, 1, 2, ledgertest.Partial(lay, 1, 2))
	require.NoError(t, err)
}

// reads reads what writeStep wrote, and returns the error of each read.
func reads(t *testing.T, l *Ledger, lay ledger.Layout) map[string]error {
	errs, dst := map[string]error{}, make([]float32, lay.Params)
	_, errs["partials:1"] = l.Partial(t.Context(), lay, ledger.PartialRead{Step: 1, Node: 2, Chunks: lay.AllChunks(), Dst: dst})
	_, _, errs["log"] = l.Root(t.Context(), lay, ledger.LogRead{Step: 0, Chunks: lay.AllChunks(), Dst: dst, Before: lay.Genesis()})
	_, _, errs["snapshot"] = l.Snapshot(t.Context(), lay, [][]float32{dst, make([]float32, lay.Params)})
	return errs
}

// resealed returns seal with the right checksum for changed floats.
func resealed(seal, floats string) string {
	head := seal[:len(seal)-8]
	return string(binary.LittleEndian.AppendUint64([]byte(head), xxhash.Sum64String(head+floats)))
}

func TestWrongBytesInTheStoreAreCorrupt(t *testing.T) {
	spoil := map[string]func(seal, floats string) (string, string){
		"one bit of the floats": func(s, f string) (string, string) { return s, f[:4] + string(f[4]^1) + f[5:] },
		"one bit of the seal":   func(s, f string) (string, string) { return s[:40] + string(s[40]^1) + s[41:], f },
		"floats cut short":      func(s, f string) (string, string) { return s, f[:len(f)-1] },
		"floats too long":       func(s, f string) (string, string) { return s, f + f },
		"seal cut short":        func(s, f string) (string, string) { return s[:len(s)-1], f },
		"empty":                 func(string, string) (string, string) { return "", "" },
		"no floats":             func(s, _ string) (string, string) { return s, "" },
		"another kind":          func(s, f string) (string, string) { return resealed(s[:3]+"b"+s[4:], f), f },
		"another step":          func(s, f string) (string, string) { return resealed(s[:8]+"\x07"+s[9:], f), f },
		"another node":          func(s, f string) (string, string) { return resealed(s[:16]+"\x07"+s[17:], f), f },
		"another chunk":         func(s, f string) (string, string) { return resealed(s[:24]+"\x07"+s[25:], f), f },
		"fewer floats":          func(s, f string) (string, string) { return resealed(s[:48]+"\x01"+s[49:], f[:4]), f[:4] },
	}
	redistest.Each(t, func(t *testing.T, url string) {
		l, ctx := open(t, url), t.Context()
		for name, change := range spoil {
			for key, f := range map[string][2]string{"partials:1": {"d2", "2"}, "log": {"s0", "0"}, "snapshot": {"", "0"}} {
				lay := ledgertest.Layout(9, 4, 2)
				writeStep(t, l, lay)
				for read, err := range reads(t, l, lay) {
					require.NoError(t, err, read)
				}
				k := keysOf(lay).slot(1, key)
				floats, err := l.control.HGet(ctx, k, f[1]).Result()
				require.NoError(t, err)
				if f[0] == "" { // in one piece
					end := len(floats) - 8
					seal, changed := change(floats[:88]+floats[end:], floats[88:end])
					head := max(0, len(seal)-8)
					require.NoError(t, l.control.HSet(ctx, k, f[1], seal[:head]+changed+seal[head:]).Err())
				} else {
					seal, err := l.control.HGet(ctx, k, f[0]).Result()
					require.NoError(t, err)
					seal, floats = change(seal, floats)
					require.NoError(t, l.control.HSet(ctx, k, f[0], seal, f[1], floats).Err())
				}
				for read, err := range reads(t, l, lay) {
					if read == key {
						require.ErrorIs(t, err, job.ErrCorrupt, "%s in %s", name, key)
						require.ErrorContains(t, err, "chunk 1", "%s in %s", name, key)
					} else {
						require.NoError(t, err)
					}
				}
			}
		}
	})
}

func TestSumsThatDifferBetweenChunksAreCorrupt(t *testing.T) {
	l := open(t, redistest.Mini(t))
	lay := ledgertest.Layout(4, 2, 2)
	for c, examples := range []int64{10, 11} {
		_, _, err := l.Append(t.Context(), lay, ledger.LogWrite{Step: 0, Chunks: []int{c}, Root: ledger.Partial{Gradient: make([]float32, 4), Sums: ledger.Sums{Examples: examples}}, Before: lay.Genesis()})
		require.NoError(t, err)
	}
	_, _, err := l.Root(t.Context(), lay, ledger.LogRead{Step: 0, Chunks: lay.AllChunks(), Dst: make([]float32, 4), Before: lay.Genesis()})
	require.ErrorIs(t, err, job.ErrCorrupt)
}

// A call stored a partial and was interrupted before it recorded the arrival. Another
// worker's call with other bytes must not confirm it.
func TestPartialStoredByACutCall(t *testing.T) {
	l, ctx := openLarge(t, redistest.Mini(t)), t.Context()
	lay := ledgertest.Layout(3, 4, 2)
	right := ledgertest.Partial(lay, 0, 2)
	require.NoError(t, l.control.HSet(ctx, keysOf(lay).partials(0, 0), "2", wire.Bytes(right.Gradient)).Err())

	nodes, err := l.Arrived(ctx, lay, 0)
	require.NoError(t, err)
	require.Empty(t, nodes)
	_, err = l.Partial(ctx, lay, ledger.PartialRead{Step: 0, Node: 2, Chunks: []int{0}, Dst: make([]float32, 3)})
	require.ErrorIs(t, err, job.ErrNotFound)

	wrong := ledgertest.Partial(lay, 0, 2)
	wrong.Gradient[0]++
	_, err = l.Put(ctx, lay, 0, 2, wrong)
	require.NoError(t, err)
	_, err = l.Partial(ctx, lay, ledger.PartialRead{Step: 0, Node: 2, Chunks: []int{0}, Dst: make([]float32, 3)})
	require.ErrorIs(t, err, job.ErrCorrupt)
}

// The same holds for a root whose call was interrupted before it wrote the seal.
func TestRootStoredByACutCall(t *testing.T) {
	l, ctx := openLarge(t, redistest.Mini(t)), t.Context()
	for _, chunk := range []int{2, 100} {
		for _, same := range []bool{true, false} {
			lay := ledgertest.Layout(5, chunk, 2)
			root := ledgertest.Partial(lay, 0, tree.Root)
			lo, hi := lay.Chunk(0)
			require.NoError(t, l.control.HSet(ctx, keysOf(lay).log(0), "0", wire.Bytes(root.Gradient[lo:hi])).Err())
			_, _, err := l.Root(ctx, lay, ledger.LogRead{Step: 0, Chunks: lay.AllChunks(), Dst: make([]float32, 5), Before: lay.Genesis()})
			require.ErrorIs(t, err, job.ErrNotFound)
			if !same {
				root.Gradient[0]++
			}
			_, _, err = l.Append(ctx, lay, ledger.LogWrite{Step: 0, Chunks: lay.AllChunks(), Root: root, Before: lay.Genesis()})
			if same {
				require.NoError(t, err)
				requireTrained(t, l, lay, 0, 1)
			} else {
				require.ErrorIs(t, err, job.ErrCorrupt)
			}
		}
	}
}

// A full server refused the floats and accepted the seal. Then the chunk counts as not
// stored.
func TestSealWithoutFloats(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		l, ctx := open(t, url), t.Context()
		lay := ledgertest.Layout(5, 5, 2)
		e := entry{seal: []byte("seal")}
		pipe := l.pipeline(0)
		e.sealed = pipe.run(ctx, sealScript, []string{keysOf(lay).log(0), keysOf(lay).snapshot(0)}, 0, e.seal, 1000)
		require.NoError(t, pipe.exec(ctx))
		require.ErrorContains(t, l.readSealResults(ctx, lay, 0, []entry{e}), "vanished")
		require.Empty(t, allKeys(t, l))
	})
}

func TestLostChunksAreCorrupt(t *testing.T) {
	l, ctx := open(t, redistest.Mini(t)), t.Context()
	lay := ledgertest.Layout(9, 4, 2)
	writeStep(t, l, lay)
	require.NoError(t, l.control.HDel(ctx, keysOf(lay).log(2), "0").Err())
	require.NoError(t, l.control.HDel(ctx, keysOf(lay).snapshot(2), "0").Err())
	errs := reads(t, l, lay)
	require.ErrorIs(t, errs["log"], job.ErrCorrupt)
	require.ErrorIs(t, errs["snapshot"], job.ErrCorrupt)
}

func TestWrongCountsAreCorrupt(t *testing.T) {
	l, ctx := open(t, redistest.Mini(t)), t.Context()
	lay := ledgertest.Layout(9, 4, 2)
	for _, f := range []string{fieldCommitted, fieldSnapshot} {
		for _, v := range []string{"x", "-1", "", "1.5", strings.Repeat("9", 30)} {
			require.NoError(t, l.control.HSet(ctx, keysOf(lay).control(), f, v).Err())
			_, err := l.State(ctx, lay)
			require.ErrorIs(t, err, job.ErrCorrupt, "%s = %q", f, v)
		}
		require.NoError(t, l.control.HDel(ctx, keysOf(lay).control(), f).Err())
	}
	require.NoError(t, l.control.RPush(ctx, keysOf(lay).losses(), "short").Err())
	_, err := l.Losses(ctx, lay, 0, 1)
	require.ErrorIs(t, err, job.ErrCorrupt)
}

// A trim was interrupted and leaves the residuals of some chunks in the log. Then all of
// them are read from the snapshot.
func TestResidualWhoseLogIsPartlyTrimmed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		l, ctx := open(t, url), t.Context()
		lay := ledgertest.Layout(7, 2, 2)
		lay.Wire = ledgertest.Formats["bfloat16"]
		train(t, l, lay, 0, 2)
		s := snapshot(lay, 2)
		s.Vectors = append(s.Vectors, ledgertest.Residual(lay, ledgertest.Partial(lay, 1, tree.Root)))
		require.NoError(t, l.putChunks(ctx, lay, s))
		_, err := l.makeNewest(ctx, lay, 2, false)
		require.NoError(t, err)
		require.NoError(t, l.trim(ctx, lay, 2, []int{1}))

		got := make([]float32, lay.Params)
		read := ledger.LogRead{Step: 2, Chunks: lay.AllChunks(), Dst: got, Before: ledgertest.Chain(lay, 2)}
		require.NoError(t, l.Residual(ctx, lay, read))
		require.Equal(t, s.Vectors[1], got)

		read.Step, read.Before = 1, ledgertest.Chain(lay, 1)
		require.ErrorIs(t, l.Residual(ctx, lay, read), job.ErrStale, "the newest snapshot is of a later step")
		require.NoError(t, l.Delete(ctx, lay))
	})
}
