package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/dataset/parquet"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
)

// ordinaryRows returns a CSV file of that many rows: four columns of numbers, one of eight
// texts, and the label y.
func ordinaryRows(rows int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	cities := []string{"Berlin", "Hamburg", "Munich", "Cologne", "Frankfurt", "Essen", "Leipzig", "Bonn"}
	text := []byte("a,b,c,d,city,y\n")
	number := func(x float64, digits int) { text = append(strconv.AppendFloat(text, x, 'f', digits, 64), ',') }
	for range rows {
		a, b := r.Float64()*6-3, r.Float64()*1000
		number(a, 6)
		number(b, 3)
		number(math.Floor(r.Float64()*1e5), 0)
		number(-10*math.Log(1-r.Float64()), 4)
		text = append(append(text, cities[r.IntN(len(cities))]...), ',')
		number(2*a+b/500+r.Float64(), 5)
		text[len(text)-1] = '\n'
	}
	return text
}

// BenchmarkRows reads, splits and stores 10⁵ rows of CSV.
func BenchmarkRows(b *testing.B) {
	const rows = 100_000
	content := ordinaryRows(rows)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		_, err := Run(context.Background(), csvSpec(), sources{"in": content}, discard{}, nil)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// Of several faults the first in the file is reported, whichever goroutine finds one first.
func TestFirstFaultOfAFile(t *testing.T) {
	ordinary := string(ordinaryRows(3 * batchCells / 6))
	spec := csvSpec()
	spec.Data.Columns = map[string]job.ColumnSpec{}
	for _, name := range []string{"a", "b", "c", "d"} {
		spec.Data.Columns[name] = job.ColumnSpec{Type: job.NumberColumn}
	}
	lines := strings.Count(ordinary, "\n")
	for name, c := range map[string]struct {
		tail string
		want string
	}{
		"cell, then record":      {"1,2,3,x,Bonn,5\n1,2\n", fmt.Sprintf("line %d: 2 cells", lines+2)}, // a survey counts the cell and stops at the record
		"record, then cell":      {"1,2\n1,2,3,x,Bonn,5\n", fmt.Sprintf("line %d: 2 cells", lines+1)},
		"later column, then row": {"1,2,3,x,Bonn,5\nx,2,3,4,Bonn,5\n", fmt.Sprintf(`line %d: column "a": "x"`, lines+2)},
		"after a cell of lines":  {"1,2,3,4,\"Bo\n\nnn\",5\n1,2,3,\"\n\nx\",Bonn,5\n", fmt.Sprintf(`line %d: column "d": "\n\nx"`, lines+4)},
		"in a record of lines":   {"1,2,3,4,\"Bo\n\nnn\",z\n", fmt.Sprintf(`line %d: label "y": text "z"`, lines+3)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, spec, sources{"in": []byte(ordinary + c.tail)})
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A row may have more cells or bytes than a batch, and a file may end anywhere in one.
func TestBatchesHaveEveryRow(t *testing.T) {
	for _, rows := range []int{1, 2, batchCells - 1, batchCells, batchCells + 1, 3*batchCells + 7} {
		n := 0
		file := &records{names: []string{"a"}, unit: "row", line: func(int) int { return n }, next: func() ([]string, error) {
			if n == rows {
				return nil, io.EOF
			}
			n++
			return []string{strconv.Itoa(n)}, nil
		}}
		seen := 0
		require.NoError(t, file.batches(t.Context(), func(b *batch) error {
			for i := range b.rows() {
				seen++
				require.Equal(t, strconv.Itoa(seen), b.row(nil, i)[0])
				require.Equal(t, fmt.Sprintf("row %d", seen), b.place(i, 0))
			}
			return nil
		}))
		require.Equal(t, rows, seen)
	}
	wide := make([]string, batchCells+5)
	wide[0] = strings.Repeat("x", batchBytes+1)
	left := 5
	file := &records{names: wide, line: func(int) int { return 0 }, next: func() ([]string, error) {
		if left--; left < 0 {
			return nil, io.ErrUnexpectedEOF
		}
		return wide, nil
	}}
	seen := 0
	require.ErrorIs(t, file.batches(t.Context(), func(b *batch) error { seen += b.rows(); return nil }), io.ErrUnexpectedEOF)
	require.Equal(t, 5, seen)
}

// When batches returns, its reader has ended, whatever ended it.
func TestBatchesEnd(t *testing.T) {
	var reading atomic.Int64
	file := &records{names: []string{"a"}, line: func(int) int { return 0 }, next: func() ([]string, error) {
		reading.Add(1)
		defer reading.Add(-1)
		return []string{"1"}, nil
	}}
	stop := errors.New("stop")
	require.ErrorIs(t, file.batches(t.Context(), func(*batch) error { return stop }), stop)
	require.Zero(t, reading.Load())
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, file.batches(ctx, func(*batch) error { cancel(); return nil }), context.Canceled)
	require.Zero(t, reading.Load())
}

// A panic while a file is read is an error, as anywhere else in an ingest.
func TestPanicsOfReadersAreErrors(t *testing.T) {
	broken := (*lifecycle.PanicError)(nil)
	file := &records{names: []string{"a"}, line: func(int) int { return 0 }, next: func() ([]string, error) { panic("a reader's fault") }}
	require.ErrorAs(t, file.batches(t.Context(), func(*batch) error { return nil }), &broken)
	err := lanes(3, func(lane int) (int, error) {
		if lane == 2 {
			panic("a column's fault")
		}
		return 0, errors.New("a row's")
	})
	require.ErrorAs(t, err, &broken)
}

// A float whose text was left out is counted as its text is.
func TestFloatsAreCountedAsTheirTexts(t *testing.T) {
	of := func(columns map[string]job.ColumnSpec, options *job.CSVOptions, classes bool) func() *tally {
		return func() *tally {
			y := &tally{name: "a", options: options, classes: classes, unnamed: true}
			if c, ok := columns["a"]; ok {
				y.given = &c
			}
			y.start()
			return y
		}
	}
	number := map[string]job.ColumnSpec{"a": {Type: job.NumberColumn}}
	category := map[string]job.ColumnSpec{"a": {Type: job.CategoryColumn}}
	rapid.Check(t, func(t *rapid.T) {
		made := rapid.SampledFrom([]func() *tally{
			of(nil, nil, false), of(number, nil, false), of(category, nil, false), of(nil, nil, true),
			of(nil, &job.CSVOptions{Decimal: ","}, false), of(nil, &job.CSVOptions{NA: &job.NA{Words: []string{"5", "0.5"}}}, false),
		}).Draw(t, "column")
		values := rapid.SliceOfN(rapid.OneOf(
			rapid.Float64Range(-2e6, 2e6), rapid.Map(rapid.IntRange(-2_000_000, 2_000_000), func(n int) float64 { return float64(n) }),
			rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 0.5, 5, 1e-4, 9e-5, -1e-7, 999999, 1e6, 999999.5, 1e21, 5e-324, math.MaxFloat64}),
		), 1, 9).Draw(t, "values")
		want, got := made(), made()
		b := &batch{unit: "row", width: 1, values: values, cells: make([]string, len(values)), lines: make([]int, len(values))}
		for i, x := range values {
			require.Equal(t, parquet.Text(x), b.text(i, 0))
			want.add(parquet.Text(x), func() string { return "row 0" })
		}
		got.addAll(b, 0)
		require.Equal(t, want, got)

		c, read := &column{name: "a", kind: dataset.Numeric}, make([]float64, len(values))
		_, err := c.fill(read, b, 0, nil)
		require.NoError(t, err)
		for i, x := range values {
			parsed, err := c.parse(parquet.Text(x), nil)
			require.NoError(t, err)
			require.Equal(t, math.Float64bits(parsed), math.Float64bits(read[i]))
		}
	})
}

// Inspecting a spec checks the digest that it names, as training does.
func TestInspectChecksTheDigest(t *testing.T) {
	d := csvSpec().Data
	d.SHA256 = job.Digest(strings.Repeat("0", 64))
	in := &Ingest{Sources: sources{"in": ordinaryRows(3)}}
	_, err := in.Inspect(t.Context(), &d, nil)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "data.sha256 says")
	d.SHA256 = ""
	seen, err := in.Inspect(t.Context(), &d, nil)
	require.NoError(t, err)
	require.Equal(t, 3, seen.Rows)
}
