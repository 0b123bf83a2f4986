package ingest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// waysSpec is a regression on a file with the columns x (the number of the row), g and t.
func waysSpec(split job.SplitSpec) *job.Spec {
	s := csvSpec()
	s.Data.Split = split
	return s
}

func waysFile(rows int, g, t func(i int) string) sources {
	var b strings.Builder
	b.WriteString("x,g,t,y\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,%s,%s,%d\n", i, g(i), t(i), i*i%7)
	}
	return sources{"in": []byte(b.String())}
}

func same(int) string { return "1" }

// rowsOf returns the numbers of the rows of each split.
func rowsOf(o *outcome) map[job.Split][]float64 {
	out := map[job.Split][]float64{}
	for s := range o.x {
		out[s] = o.column(s, 0)
		slices.Sort(out[s])
	}
	return out
}

// Each row is in one split, each group too, and the sizes are near the fractions.
func TestAGroupIsInOneSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(3, 40).Draw(t, "groups")
		rows := rapid.IntRange(3*groups, 400).Draw(t, "rows")
		group := func(i int) string { return fmt.Sprintf("g%d", i*i%groups%max(3, groups/2)) }
		spec := waysSpec(job.SplitSpec{Train: 0.6, Validation: 0.2, Test: 0.2, Group: "g"})
		spec.Seed = rapid.Uint64().Draw(t, "seed")
		spec.Data.Drop = []string{"t"}
		distinct := map[string]int{}
		for i := range rows {
			distinct[group(i)]++
		}
		o, err := run(t, spec, waysFile(rows, group, same))
		if len(distinct) < 3 {
			require.ErrorContains(t, err, "groups of column \"g\"")
			return
		}
		require.NoError(t, err)
		require.Equal(t, 1, o.Features, "the group is no feature")
		of, total := map[string]job.Split{}, 0
		for s, list := range rowsOf(o) {
			for _, x := range list {
				if at, ok := of[group(int(x))]; ok {
					require.Equal(t, at, s)
				}
				of[group(int(x))] = s
			}
			total += len(list)
		}
		require.Equal(t, rows, total)
		require.Len(t, o.x, 3)
		biggest := slices.Max(slices.Collect(maps.Values(distinct)))
		require.LessOrEqual(t, math.Abs(float64(len(o.x[job.Train]))-0.6*float64(rows)), float64(2*biggest+1))
	})
}

// The side of a group follows from its value and the seed, not from how a number is written.
func TestTwoWaysToWriteANumberAreOneGroup(t *testing.T) {
	spec := waysSpec(job.SplitSpec{Train: 0.5, Validation: 0.5, Group: "g"})
	o := mustRun(t, spec, waysFile(60, func(i int) string { return []string{"1", "1.0", "2", "2.0", "3", "", "NA"}[i%7] }, same))
	side := map[int]job.Split{}
	for s, list := range rowsOf(o) {
		for _, x := range list {
			kind := map[int]int{1: 0, 3: 2}[int(x)%7] // the row that is written otherwise
			if _, twin := map[int]int{1: 0, 3: 2}[int(x)%7]; !twin {
				kind = int(x) % 7
			}
			if at, ok := side[kind]; ok {
				require.Equal(t, at, s)
			}
			side[kind] = s
		}
	}
}

func TestTheLatestRowsAreHeldOut(t *testing.T) {
	for name, when := range map[string]func(i int) string{
		"numbers":      func(i int) string { return fmt.Sprint((i * 37) % 100 / 4) },
		"dates":        func(i int) string { return fmt.Sprintf("2024-01-%02d", (i*37)%100/4+1) },
		"moments":      func(i int) string { return fmt.Sprintf("2024-01-%02d 10:00:00", (i*37)%100/4+1) },
		"German dates": func(i int) string { return fmt.Sprintf("%02d.01.2024", (i*37)%100/4+1) },
	} {
		o := mustRun(t, waysSpec(job.SplitSpec{Train: 0.5, Validation: 0.3, Test: 0.2, Time: "t"}), waysFile(100, same, when))
		require.Equal(t, 2, o.Features, "the time is no feature")
		require.Equal(t, []string{"t"}, o.Preprocessing.Others)
		last := -1.0
		rows := rowsOf(o)
		for k, s := range job.Splits {
			low, high := math.Inf(1), math.Inf(-1)
			for _, x := range rows[s] {
				moment := float64((int(x) * 37) % 100 / 4)
				low, high = min(low, moment), max(high, moment)
			}
			require.Greater(t, low, last, "%s: %s", name, s)
			require.InDelta(t, []float64{50, 30, 20}[k], len(rows[s]), 2, name)
			last = high
		}
	}
}

// A column that data.columns has is a feature too.
func TestATimeMayBeAFeature(t *testing.T) {
	spec := waysSpec(job.SplitSpec{Train: 0.5, Validation: 0.5, Time: "t"})
	spec.Data.Columns = map[string]job.ColumnSpec{"t": {Type: job.DateColumn, Format: "%d/%m/%Y", Parts: []job.DatePart{job.Day}}}
	o := mustRun(t, spec, waysFile(10, same, func(i int) string { return fmt.Sprintf("%02d/01/2024", 10-i) }))
	require.Equal(t, 3, o.Features)
	require.Equal(t, []float64{5, 6, 7, 8, 9}, rowsOf(o)[job.Train])
	require.Empty(t, o.Preprocessing.Others)
}

func TestWithoutShufflingTheLastRowsAreHeldOut(t *testing.T) {
	no := false
	o := mustRun(t, waysSpec(job.SplitSpec{Train: 0.5, Validation: 0.3, Test: 0.2, Shuffle: &no}), waysFile(10, same, same))
	require.Equal(t, map[job.Split][]float64{job.Train: {0, 1, 2, 3, 4}, job.Validation: {5, 6, 7}, job.Test: {8, 9}}, rowsOf(o))
}

// Each row that is not for testing validates once and trains in all other folds.
func TestFoldsArePartitions(t *testing.T) {
	no := false
	group := func(i int) string { return fmt.Sprint(i % 13) }
	for name, split := range map[string]job.SplitSpec{
		"random": {}, "in order": {Shuffle: &no}, "group": {Group: "g"}, "stratified": {Stratify: true}, "test": {Test: 0.25}, "stratified test": {Test: 0.25, Stratify: true},
	} {
		validated, tests := map[float64]int{}, []float64(nil)
		for fold := 1; fold <= 4; fold++ {
			split.KFolds, split.Fold = 4, fold
			spec := waysSpec(split)
			if split.Stratify {
				spec.Loss = job.SoftmaxCrossEntropy
			}
			rows := rowsOf(mustRun(t, spec, waysFile(103, group, same)))
			for _, x := range rows[job.Validation] {
				validated[x]++
				require.NotContains(t, rows[job.Train], x)
			}
			require.Equal(t, 103, len(rows[job.Train])+len(rows[job.Validation])+len(rows[job.Test]), name)
			require.InDelta(t, float64(103-len(rows[job.Test]))/4, len(rows[job.Validation]), 8, name)
			if fold > 1 {
				require.Equal(t, tests, rows[job.Test], "%s: all folds have one test split", name)
			}
			tests = rows[job.Test]
		}
		require.Len(t, validated, 103-len(tests), name)
		for _, n := range validated {
			require.Equal(t, 1, n, name)
		}
	}
}

// The sizes are those of scikit-learn's KFold and TimeSeriesSplit, from their documentation.
func TestFoldsOfKnownSizes(t *testing.T) {
	require.Equal(t, []int{3, 3, 2, 2}, foldSizes(10, 4))
	no := false
	o := mustRun(t, waysSpec(job.SplitSpec{KFolds: 2, Fold: 1, Shuffle: &no}), waysFile(4, same, same))
	require.Equal(t, map[job.Split][]float64{job.Train: {2, 3}, job.Validation: {0, 1}}, rowsOf(o))

	moment := func(i int) string { return fmt.Sprint(i) }
	for fold, want := range []map[job.Split][]float64{
		{job.Train: {0}, job.Validation: {1}},
		{job.Train: {0, 1}, job.Validation: {2}},
		{job.Train: {0, 1, 2}, job.Validation: {3}},
		{job.Train: {0, 1, 2, 3}, job.Validation: {4}},
		{job.Train: {0, 1, 2, 3, 4}, job.Validation: {5}},
	} {
		train, validation, err := (&work{}).fold(t.Context(), waysSpec(job.SplitSpec{KFolds: 5, Fold: fold + 1, Time: "t"}), timed(t, moment, 6), []int32{0, 1, 2, 3, 4, 5})
		require.NoError(t, err)
		require.Equal(t, want, map[job.Split][]float64{job.Train: floats(train), job.Validation: floats(validation)})
	}
}

// timed is a table with only the times of its rows.
func timed(t *testing.T, moment func(i int) string, rows int) *table {
	k := &keyColumn{name: "t", field: "data.split.time"}
	s := &space{keep: keepBytes}
	require.NoError(t, k.begin(s, rows))
	for i := range rows {
		require.NoError(t, k.push(moment(i), nil))
	}
	require.NoError(t, k.done())
	return &table{rows: rows, key: k}
}

func floats(rows []int32) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = float64(r)
	}
	return out
}

// An own validation source is prepared with what is fitted on the training source.
func TestAGivenValidationSource(t *testing.T) {
	spec := csvSpec()
	spec.Loss, spec.Data.Validation, spec.Data.Test = job.SoftmaxCrossEntropy, "v", "t"
	spec.Data.Transform.Scale.Method = "standard"
	spec.Data.Clean.Missing.Method = "mean"
	o := mustRun(t, spec, sources{
		"in": []byte("x,c,y\n0,a,n\n2,b,m\n4,a,n\n"), "v": []byte("y,c,x\nm,z,100\nn,a,\n"), "t": []byte("c,y,x\nb,n,2\n"),
	})
	require.Equal(t, []string{"a", "b"}, o.Preprocessing.Columns[1].Categories)
	require.Equal(t, 2.0, o.Preprocessing.Columns[0].Shift)
	require.InDelta(t, 98/math.Sqrt(8.0/3), o.x[job.Validation][0][0], 1e-4)
	require.Equal(t, []float32{0, 0}, o.x[job.Validation][0][1:], "a category that training does not have")
	require.Zero(t, o.x[job.Validation][1][0], "filled with the training mean")
	require.Equal(t, [][]float32{{0}, {1}}, o.y[job.Validation])
	require.Equal(t, [][]float32{{0, 0, 1}}, o.x[job.Test])
}

func TestWaysToSplitThatAreRefused(t *testing.T) {
	split := job.SplitSpec{Train: 0.5, Validation: 0.5}
	by := func(change func(s *job.SplitSpec)) *job.Spec {
		s := waysSpec(split)
		change(&s.Data.Split)
		return s
	}
	given := func(change func(s *job.Spec)) *job.Spec {
		s := csvSpec()
		s.Data.Validation = "v"
		change(s)
		return s
	}
	files := waysFile(10, func(i int) string { return fmt.Sprint(i % 2) }, func(i int) string { return []string{"", "soon", "2024-01-01"}[i%3] })
	files["v"], files["w"] = files["in"], []byte("x,g,t,y\n1,7,2024-01-01,3\n4,1,2024-01-01,5\n")
	for want, spec := range map[string]*job.Spec{
		`data.split.group: no column "h" in the header`:                                     by(func(s *job.SplitSpec) { s.Group = "h" }),
		`data.split.time: no column "g2"`:                                                   by(func(s *job.SplitSpec) { s.Time = "g2" }),
		`data.split.time: line 3: column "t": "soon": want a column of numbers or of dates`: by(func(s *job.SplitSpec) { s.Time = "t" }),
		`groups of column "g": 2 to divide: want at least one for each of 3 parts`:          by(func(s *job.SplitSpec) { *s = job.SplitSpec{Train: 0.5, Validation: 0.25, Test: 0.25, Group: "g"} }),
		`data.split.k_folds: 5: data.split.group: groups of column "g": 2 to divide`:        by(func(s *job.SplitSpec) { *s = job.SplitSpec{KFolds: 5, Fold: 1, Group: "g"} }),
		`data.split.fold: missing: want 1 to 5`:                                             by(func(s *job.SplitSpec) { *s = job.SplitSpec{KFolds: 5} }),
		`data.validation: it has the same 10 rows as data.source`:                           given(func(*job.Spec) {}),
		`data.validation: the file "./in" is one of data.source as well`:                    given(func(s *job.Spec) { s.Data.Validation = "./in" }),
		`data.test: it has the same 2 rows as data.validation`:                              given(func(s *job.Spec) { s.Data.Validation, s.Data.Test = "w", "w2" }),
		`data.validation: row 2: data.split.group: the group of column "g" in this row is in data.source too`: given(func(s *job.Spec) {
			s.Data.Validation, s.Data.Split.Group = "w", "g"
		}),
	} {
		files["./in"], files["w2"] = files["in"], files["w"]
		_, err := run(t, spec, files)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	_, err := run(t, by(func(s *job.SplitSpec) { s.Time = "t" }), waysFile(9, same, func(i int) string { return []string{"", "5", "7"}[i%3] }))
	require.ErrorContains(t, err, `row 1: data.split.time: column "t" is missing: want a time in each row`)
}

// The splits are the same if the cells are in files.
func TestWaysToSplitWithFiles(t *testing.T) {
	for _, split := range []job.SplitSpec{
		{Train: 0.5, Validation: 0.5, Group: "g"}, {Train: 0.5, Validation: 0.5, Time: "t"}, {KFolds: 3, Fold: 2}, {KFolds: 3, Fold: 3, Time: "t"},
	} {
		spec := waysSpec(split)
		spec.Data.Shuffle = true
		from := waysFile(200, func(i int) string { return fmt.Sprint(i % 11) }, func(i int) string { return fmt.Sprint(i % 17) })
		o := mustRun(t, spec, from)
		m, err := (&Ingest{Sources: from, Store: blob.NewMemory(0), Memory: 64, Scratch: t.TempDir()}).Run(t.Context(), spec)
		require.NoError(t, err)
		require.Equal(t, o.Manifest, m)
	}
}
