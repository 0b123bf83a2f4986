package history_test

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/blob"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/memory"
)

var layout = ledger.Layout{
	Ref: job.Ref{Job: "j", Run: "r"}, Plan: blob.DigestOf([]byte("plan")), Params: 10, ChunkLen: 4, Microbatch: 1,
}

// marks returns the marks of n steps of an arbitrary job, from the step from on.
func marks(from, n int64) []ledger.Mark {
	var list []ledger.Mark
	for step := from; step < from+n; step++ {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(step)))
		list = append(list, ledger.Mark(sum[:8]))
	}
	return list
}

// The expected mark was computed by another program, as PROTOCOL.md says.
func TestAMarkIsADigestOfAllLinks(t *testing.T) {
	chain := ledger.Chain{{1}, {2}}
	text := append([]byte("tributary mark 1"), chain[0][:]...)
	sum := sha256.Sum256(append(text, chain[1][:]...))
	require.Equal(t, ledger.Mark(sum[:8]), chain.Mark())
	require.NotEqual(t, chain.Mark(), ledger.Chain{{2}, {1}}.Mark())
	require.Len(t, chain.Mark().String(), 16)
	require.Zero(t, testing.AllocsPerRun(100, func() { chain.Mark() }))
}

func store(t *testing.T, l ledger.Ledger, from int64, marks []ledger.Mark) (units []string) {
	units, err := history.Store(t.Context(), l, layout, from, marks)
	require.NoError(t, err)
	return units
}

func TestOverlappingPagesAgreeOrAreReported(t *testing.T) {
	l := memory.New()
	ctx := t.Context()
	store(t, l, 0, marks(0, 5))
	store(t, l, 3, marks(3, 4))
	store(t, l, 3, marks(3, 4))
	store(t, l, 9, marks(9, 1))
	h, err := history.Load(ctx, l, layout)
	require.NoError(t, err)
	require.EqualValues(t, 10, h.Steps())
	require.EqualValues(t, 8, h.Known())
	for step := range int64(12) {
		m, ok := h.At(step)
		require.Equal(t, step < 7 || step == 9, ok, "step %d", step)
		if ok {
			require.Equal(t, marks(step, 1)[0], m)
		}
	}
	store(t, l, 6, marks(60, 1))
	_, err = history.Load(ctx, l, layout)
	require.ErrorIs(t, err, job.ErrCorrupt)
	require.ErrorContains(t, err, "step 6 is marked")
}

func TestALongHistoryHasSeveralPages(t *testing.T) {
	l := memory.New()
	n := int64(ledger.MaxResult/2/history.MarkBytes)*2 + 3
	units := store(t, l, 7, marks(7, n))
	pages, err := l.Evaluations(t.Context(), layout, ledger.History)
	require.NoError(t, err)
	require.Len(t, pages, 3)
	require.ElementsMatch(t, slices.Collect(maps.Keys(pages)), units)
	h, err := history.Load(t.Context(), l, layout)
	require.NoError(t, err)
	require.Equal(t, n, h.Known())
	require.Error(t, h.Add(history.MaxSteps, marks(0, 1)))
	require.Error(t, h.Add(-1, nil))
}

func TestBadPages(t *testing.T) {
	for unit, data := range map[string][]byte{"x-3": nil, "0-1": {1, 2, 3}, "-5-1": make([]byte, 8)} {
		l := memory.New()
		_, err := l.PutEvaluation(t.Context(), layout, ledger.History, unit, data)
		require.NoError(t, err)
		_, err = history.Load(t.Context(), l, layout)
		require.ErrorIs(t, err, job.ErrCorrupt, unit)
	}
}

func encoded(t require.TestingT, steps int64, known func(*history.History)) []byte {
	f := history.File{Plan: layout.Plan, ChunkLen: layout.ChunkLen}
	known(&f.History)
	data, err := f.Encode(steps)
	require.NoError(t, err)
	return data
}

func TestTheFileReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.Int64Range(0, 50).Draw(t, "steps")
		from := rapid.Int64Range(0, steps).Draw(t, "from")
		n := rapid.Int64Range(0, steps-from).Draw(t, "known")
		data := encoded(t, steps, func(h *history.History) { require.NoError(t, h.Add(from, marks(from, n))) })
		require.Len(t, data, 72+8*int(steps))
		f, err := history.Decode(data)
		require.NoError(t, err)
		require.Equal(t, layout.Plan, f.Plan)
		require.Equal(t, layout.ChunkLen, f.ChunkLen)
		require.Equal(t, steps, f.History.Steps())
		require.Equal(t, n, f.History.Known())
	})
}

// sealed returns body with a valid checksum.
func sealed(body []byte) []byte {
	return binary.LittleEndian.AppendUint64(body, xxhash.Sum64(body))
}

func TestDamagedFilesAreRefused(t *testing.T) {
	good := encoded(t, 3, func(h *history.History) { require.NoError(t, h.Add(0, marks(0, 3))) })
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		_, err := history.Decode(bad)
		require.Error(t, err, "byte %d", i)
	}
	for n := range good {
		_, err := history.Decode(good[:n])
		require.ErrorIs(t, err, job.ErrCorrupt, "%d bytes", n)
	}
	body := good[:len(good)-8]
	_, err := history.Decode(sealed(append([]byte(nil), body[:len(body)-8]...)))
	require.ErrorContains(t, err, "16 bytes of marks for 3 steps")
	other := append([]byte(nil), body...)
	other[4] = 9
	_, err = history.Decode(sealed(other))
	require.ErrorContains(t, err, "steps.bin has version 9; this program reads version 1")

	_, err = (&history.File{Plan: "x"}).Encode(1)
	require.ErrorIs(t, err, job.ErrInvalid)
	f := history.File{Plan: layout.Plan}
	require.NoError(t, f.History.Add(0, marks(0, 3)))
	_, err = f.Encode(2)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.True(t, strings.HasPrefix(string(good), "TRHm"))
}

// FuzzDecode checks that Decode returns an error, or a history within its bounds.
func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, 3, func(h *history.History) { require.NoError(f, h.Add(0, marks(0, 3))) }))
	f.Add(encoded(f, 0, func(*history.History) {}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, bytes := range [][]byte{data, sealed(append([]byte(nil), data...))} {
			if got, err := history.Decode(bytes); err == nil {
				require.LessOrEqual(t, got.History.Steps(), int64(len(bytes)/8))
			}
		}
	})
}
