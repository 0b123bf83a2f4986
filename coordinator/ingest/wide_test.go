package ingest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/numeric"
)

// wide is a CSV of that many columns beside the label.
func wide(columns, rows int, cell func(row, column int) string) []byte {
	var b bytes.Buffer
	for j := range columns {
		fmt.Fprintf(&b, "c%d,", j)
	}
	b.WriteString("y\n")
	for i := range rows {
		for j := range columns {
			b.WriteString(cell(i, j))
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d\n", i)
	}
	return b.Bytes()
}

// cpu returns the CPU time of the process, which excludes waiting.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The work grows linearly with the columns. These tables take about a second each; with a
// linear search for each column they took minutes.
func TestWideTables(t *testing.T) {
	const columns, most = 150_000, 25 * time.Second
	number := func(i, _ int) string { return strconv.Itoa(i) }
	for name, c := range map[string]struct {
		cell   func(i, j int) string
		change func(*job.Spec)
	}{
		"numbers": {number, func(*job.Spec) {}},
		"text":    {func(i, _ int) string { return "k" + strconv.Itoa(i) }, func(*job.Spec) {}},
		"dropped": {number, func(s *job.Spec) {
			for i := range 4096 {
				s.Data.Drop = append(s.Data.Drop, fmt.Sprintf("c%d", columns-1-i))
			}
		}},
		"medians": {func(i, j int) string { return strings.Repeat("1", (i+j)%2) }, func(s *job.Spec) {
			s.Data.Clean = job.Clean{Missing: job.Missing{Method: "median"}, Duplicates: job.DropDuplicates}
			s.Data.Transform.Scale.Method = "standard"
			s.Data.Shuffle = true
		}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := csvSpec()
			c.change(spec)
			in := &Ingest{Sources: sources{"in": wide(columns, 3, c.cell)}, Store: discard{}}
			began := cpu(t)
			m, err := in.Run(t.Context(), spec)
			require.NoError(t, err)
			require.Less(t, cpu(t)-began, most)
			require.Positive(t, m.Features)
		})
	}
}

// Columns beyond medianColumns are read from a file separately and give the same medians.
func TestMediansOfManyColumns(t *testing.T) {
	const columns, rows = medianColumns + 1000, 4
	spec := csvSpec()
	spec.Data.Clean.Missing.Method = "median"
	from := sources{"in": wide(columns, rows, func(i, j int) string {
		if (i+j)%rows == 0 {
			return ""
		}
		return strconv.Itoa(i*columns + j)
	})}
	for _, memory := range []int64{0, 1} {
		in := &Ingest{Sources: from, Store: discard{}, Memory: memory, Scratch: t.TempDir()}
		m, err := in.Run(t.Context(), spec)
		require.NoError(t, err)
		for j, c := range m.Preprocessing.Columns {
			var there []int
			for i := range rows {
				if (i+j)%rows != 0 {
					there = append(there, i*columns+j)
				}
			}
			require.InDelta(t, there[1], *c.Fill, 0, "column %d", j)
		}
	}
}

// Duplicates found part by part are the same as those found at once.
func TestDistinctInBuckets(t *testing.T) {
	var text bytes.Buffer
	text.WriteString("a,y\n")
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		fmt.Fprintf(&text, "%d,%d\n", r.IntN(5000), r.IntN(2))
	}
	spec := csvSpec()
	spec.Data.Clean.Duplicates = job.DropDuplicates
	from := sources{"in": text.Bytes()}
	want, err := (&Ingest{Sources: from, Store: discard{}}).Run(t.Context(), spec)
	require.NoError(t, err)
	got, err := (&Ingest{Sources: from, Store: discard{}, Memory: 1, Scratch: t.TempDir()}).Run(t.Context(), spec)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Less(t, want.Rows(job.Train), 10_001)
}

// The linear-time sorts give the same order as sorting.
func TestLinearOrders(t *testing.T) {
	var a arranger
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfDistinct(rapid.Int32Range(0, 1<<20), func(r int32) int32 { return r }).Draw(t, "rows")
		sorted := slices.Sorted(slices.Values(rows))
		for i, place := range a.ascending(rows) {
			require.Equal(t, sorted[i], rows[place])
		}
		marks := make([]uint64, 1<<20/64+1)
		require.NoError(t, inFileOrder(context.Background(), rows, marks))
		require.True(t, slices.Equal(sorted, rows))
		require.NotContains(t, slices.Compact(marks), uint64(1))
		require.Len(t, slices.Compact(marks), 1)

		shuffled := slices.Clone(rows)
		numeric.NewRand(7, numeric.ForIngest, 0, 0).Shuffle(shuffled)
		require.NoError(t, shuffle(context.Background(), numeric.NewRand(7, numeric.ForIngest, 0, 0), rows))
		require.True(t, slices.Equal(shuffled, rows))
	})
}

// checks is a context that ends at its k-th check.
type checks struct {
	context.Context //nolint:containedctx // it is a context itself
	cancel          context.CancelFunc
	left            int
	after           int // checks after the end
}

func (l *checks) Err() error {
	if l.left--; l.left == 0 {
		l.cancel()
	}
	if l.left < 0 {
		l.after++
	}
	return l.Context.Err()
}

// If an ingest is cancelled in any loop, it ends at the next check of the context and
// leaves no file.
func TestCancelledAtEveryCheck(t *testing.T) {
	var text bytes.Buffer
	text.WriteString("a,b,c,y\n")
	for i := range 3000 {
		fmt.Fprintf(&text, "%d,%s,k%d,%d\n", i%900, strings.Repeat("1", i%3), i%7, i%5)
	}
	pixels, classes := images(300)
	table := csvSpec()
	table.Loss = job.SoftmaxCrossEntropy
	table.Data.Split = job.SplitSpec{Train: 0.8, Test: 0.2, Stratify: true}
	table.Data.Clean = job.Clean{Missing: job.Missing{Method: "median"}, Duplicates: job.DropDuplicates}
	table.Data.Transform.Scale.Method = "standard"
	table.Data.Shuffle = true
	files := idxSpec()
	files.Data.Shuffle = true
	for name, c := range map[string]struct {
		spec *job.Spec
		from sources
	}{
		"csv": {table, sources{"in": text.Bytes()}},
		"gz":  {table, sources{"in": pack(t, text.Bytes())}},
		"idx": {files, sources{"images": idxBytes(pixels, 300, 28, 28), "labels": idxBytes(classes, 300)}},
	} {
		t.Run(name, func(t *testing.T) {
			ended := 0
			for k := 1; ; k += 1 + k/8 {
				folder := t.TempDir()
				ctx, cancel := context.WithCancel(t.Context())
				l := &checks{Context: ctx, cancel: cancel, left: k}
				in := &Ingest{Sources: c.from, Store: discard{}, Memory: 1000, Scratch: folder}
				_, err := in.Run(l, c.spec)
				cancel()
				entries, failed := os.ReadDir(folder)
				require.NoError(t, failed)
				require.Empty(t, entries)
				if l.left > 0 { // the ingest had finished before
					require.NoError(t, err)
					break
				}
				require.ErrorIs(t, err, context.Canceled, "check %d", k)
				require.LessOrEqual(t, l.after, 2, "check %d", k)
				ended++
			}
			require.Greater(t, ended, 10)
		})
	}
}

// A row of many cells does not delay the next check of the context.
func TestChecksAreCountedInCells(t *testing.T) {
	const rows, width = 1000, 1000
	s := &space{keep: 8 * rows * width}
	c, err := s.cells(make([]float64, rows*width), width)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	after := 0
	err = c.each(ctx, all(rows), func(i int, row []float64) {
		if i == 10 {
			cancel()
		}
		if ctx.Err() != nil {
			after += len(row)
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.LessOrEqual(t, after, patience+width)
}

func TestLimitsOfTables(t *testing.T) {
	refused := func(in *Ingest, spec *job.Spec, text []byte, want string) {
		t.Helper()
		in.Sources, in.Store = sources{"in": text}, discard{}
		_, err := in.Run(t.Context(), spec)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	// A feature for each text: rows × texts.
	var text bytes.Buffer
	text.WriteString("a,y\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "k%d,%d\n", i, i)
	}
	refused(&Ingest{MaxBytes: 1 << 20}, csvSpec(), text.Bytes(), "2000 rows of 2001 features and targets make over 4194304 bytes of blocks")

	d := newDictionary(newTextRoom(2*textCost + 6))
	for _, word := range []string{"one", "two", "one"} {
		_, err := d.code(word)
		require.NoError(t, err)
	}
	_, err := d.code("six")
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "the different texts of all columns take over 268435456 bytes")

	refused(&Ingest{}, csvSpec(), []byte(strings.Repeat(",", dataset.MaxColumns+5000)+"\n"), "a record of over 1048576 cells")
	refused(&Ingest{}, csvSpec(), []byte("a,y\n1,"+strings.Repeat(",", dataset.MaxColumns+5000)), "a record of over 1048576 cells")
	refused(&Ingest{}, csvSpec(), []byte(strings.Repeat("a", 1025)+",y\n1,2\n"), "the name of column 1 has 1025 bytes: want at most 1024")
	images := idxSpec()
	in := &Ingest{Store: discard{}, Sources: sources{"images": idxHeader(idxByte, 2, 1025, 1024), "labels": nil}}
	_, err = in.Run(t.Context(), images)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "1049600 values in a row: at most 1048576")
	in.Sources = sources{"images": idxHeader(idxByte, maxRows+1, 1), "labels": nil}
	_, err = in.Run(t.Context(), images)
	require.ErrorContains(t, err, "134217729 rows: at most 134217728")
}

// Many columns that look like numbers but are not are not named one by one.
func TestNotesAreBounded(t *testing.T) {
	o := mustRun(t, csvSpec(), sources{"in": wide(50, 4, func(i, _ int) string {
		return []string{"1", "2", "3", "x"}[i]
	})})
	require.Len(t, o.said, maxNotes+1+2)
	require.Contains(t, o.said[maxNotes], "40 more columns with cells that look like numbers are read as text")
}
