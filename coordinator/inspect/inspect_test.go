package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/coordinator/ingest"
	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/plan"
	"tributary/shared/spec"
)

// one opens a text as every source.
type one string

func (o one) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(o))), nil
}

// report inspects a text.
func report(t testing.TB, text, name, label string) *Report {
	t.Helper()
	r, err := Inspect(t.Context(), &ingest.Ingest{Sources: one(text)}, Request{Data: job.Data{Source: name, Format: job.FormatOf(name)}, Label: label})
	require.NoError(t, err)
	return r
}

// messy is a file with a column of each kind.
func messy() string {
	var b strings.Builder
	b.WriteString("id,day,when,amount,share,vip,zip,grade,code,note,empty,sensor,x,city,same,gone\n")
	for i := range 120 {
		grade, gone := "ABC"[i%3:i%3+1], ""
		if i < 4 {
			gone = "1"
		}
		sensor := []string{"1.5", "2.5", "3.5", "4.5", "5.5"}[i%5]
		if i%17 == 0 {
			sensor = "-999"
		}
		x := fmt.Sprint(float64(i) / 7)
		if i%20 == 3 {
			x = "?"
		}
		fmt.Fprintf(&b, "%d,2024-%02d-%02d,%02d/%02d/2024 10:%02d,\"$%d,%03d\",%d%%,%s,%05d,%s,%d,%s,,%s,%s,%s,%d,%s\n",
			i+1, 1+i%12, 1+i%28, 1+i%12, 1+i%12, i%60, 1+i%90, i, i%100, []string{"yes", "no"}[i%2], i%40, grade, i%3+7,
			fmt.Sprintf("a sentence of several words with %d in it", i), sensor, x, []string{"Rome", "rome", "Paris"}[i%3], i+1, gone)
	}
	return b.String()
}

func TestKinds(t *testing.T) {
	r := report(t, messy(), "messy.csv", "grade")
	for name, want := range map[string][3]string{
		"id":     {"identifier", "number", "the integers count the rows"},
		"day":    {"date", "category", "every cell is a date, written like 2025-12-31"},
		"when":   {"date", "category", "every cell is a date, written like 12/31/2025"},
		"amount": {"number", "number", "every cell is a number with the sign $"},
		"share":  {"number", "number", "every cell is a number in per cent; 50% is read as 0.5"},
		"vip":    {"boolean", "category", "every cell is a word for yes or no"},
		"zip":    {"category", "category", "integers with a leading zero or more digits than a 64-bit float holds stay texts"},
		"grade":  {"category", "category", "3 different texts"},
		"code":   {"number", "number", "every cell is a number"},
		"note":   {"text", "category", "texts of 41 bytes on average, most of which occur once"},
		"empty":  {"constant", "refused", "every cell is missing"},
		"sensor": {"number", "number", "every cell is a number"},
		"gone":   {"constant", "number", `every cell that is not missing is "1"`},
	} {
		c := r.column(name)
		require.Equal(t, want, [3]string{string(c.Kind), c.Training, c.Why}, name)
	}
	require.EqualValues(t, 116, r.column("gone").Missing)
	require.Equal(t, []float64{1000, 90089}, []float64{r.column("amount").Numbers.Min, r.column("amount").Numbers.Max})
	require.InDelta(t, 0.99, r.column("share").Numbers.Max, 1e-12)
	require.Equal(t, "2024-01-01", r.column("day").Dates.First)
	require.True(t, r.column("when").Dates.Ambiguous)
	require.Equal(t, []Value{{"A", 40, false}, {"B", 40, false}, {"C", 40, false}}, r.column("grade").Top)
	require.Equal(t, []ingest.Sighting{{What: "text among numbers", Place: "line 5", Value: `"?"`}}, r.column("x").Odd)

	all := fmt.Sprint(r.Suspicions)
	for _, want := range []string{
		"{code it is the label in other words", "{id it seems to be an identifier", "{empty every cell is missing", "{same it equals the column \"id\" in every row}",
		"{sensor -999 stands in 8 cells", `{x 95.0 % of its cells are numbers, and the others are "?" (6 times)`, `differ only in blanks or capitals`, "{gone it is constant", "{gone 96.7 % of its cells are missing}",
	} {
		require.Contains(t, all, want)
	}
	require.NotContains(t, all, "{amount")
}

// A suggested spec is accepted and trains: its data can be ingested and its model fits.
func TestSuggestedSpecsTrain(t *testing.T) {
	texts := map[string]string{
		"messy.csv": messy(),
		"tiny.csv":  "a,b\n1,2\n2,3\n3,5\n",
		"yes.csv":   "on,no,\"Name: x # \"\"y\"\"\"\n" + strings.Repeat("1,2,a\n2,3,b\n3,1,a\n1,1,b\n", 30),
		"de.csv":    "größe;preis\n" + strings.Repeat("1,5;2,25\n2,5;3,5\n3,75;4\n1,5;4\n", 30),
		"rows.csv":  ",x,y\n" + strings.Repeat("0,1,2\n", 9) + "1,2,3\n1,2,2\n",
		"l.jsonl":   strings.Repeat("{\"a\":1,\"b\":\"x\",\"label\":true,\"list\":[1]}\n{\"a\":1,\"label\":false}\n{\"a\":2,\"b\":\"y\",\"label\":false}\n", 40),
		"gaps.csv":  "a,b,y\n" + strings.Repeat("1,,2\n,x,3\n3,y,\n4,z,5\n4,x,2\n", 30),
		"total.csv": "a,b,y\n" + strings.Repeat("1,4,2\n2,4,1\n3,5,7\n3,4,2\n", 80) + "Total,5,6\n",
		"long.csv":  "a,y\n" + strings.Repeat("1,u\n2,v\n2,u\n", 40) + "3,w\n3,w\n",
		"kinds.csv": "a,y\n" + strings.Repeat("1,0\n2,1\n5,0\n", 40),
	}
	for name, text := range texts {
		r := report(t, text, name, "")
		require.NotEmpty(t, r.Spec, "%s: %s", name, r.NoSpec)
		s, err := spec.Decode([]byte(r.Spec))
		require.NoError(t, err, r.Spec)
		m, err := ingest.Run(t.Context(), s, one(text), blob.NewMemory(0), nil)
		require.NoError(t, err, r.Spec)
		_, err = plan.Make(s, m, 64<<10, nil)
		require.NoError(t, err, r.Spec)
	}
	for _, name := range []string{"credit.csv.gz", "digits.csv.gz", "ames-house-prices.csv.gz"} {
		in := &ingest.Ingest{Sources: &ingest.Roots{Anywhere: true}}
		r, err := Inspect(t.Context(), in, Request{Data: job.Data{Source: filepath.Join("../../deployments/data", name), Format: job.CSV}})
		require.NoError(t, err)
		s, err := spec.Decode([]byte(r.Spec))
		require.NoError(t, err, r.Spec)
		m, err := ingest.Run(t.Context(), s, in.Sources, blob.NewMemory(0), nil)
		require.NoError(t, err, r.Spec)
		_, err = plan.Make(s, m, 64<<10, nil)
		require.NoError(t, err, r.Spec)
		require.Equal(t, map[string]string{"credit.csv.gz": "Status", "digits.csv.gz": "digit", "ames-house-prices.csv.gz": "Sale_Price"}[name], r.Label.Column)
	}
}

// The report says what training does: the same columns, kinds and refusals.
func TestTheReportSaysWhatTrainingDoes(t *testing.T) {
	r := report(t, messy(), "messy.csv", "grade")
	drop := []string{"empty"}
	s, err := spec.Decode([]byte(`{"name":"m","data":{"source":"messy.csv","label":"grade","drop":["empty"],"clean":{"missing":"median"}},
		"model":{"layers":[{"dense":{"units":3}}]},"loss":"softmax_cross_entropy","optimizer":{"sgd":{"learning_rate":0.1}},"batch":4,"steps":1}`))
	require.NoError(t, err)
	m, err := ingest.Run(t.Context(), s, one(messy()), blob.NewMemory(0), nil)
	require.NoError(t, err)
	require.Len(t, m.Preprocessing.Columns, len(r.Columns)-1-len(drop))
	for _, c := range m.Preprocessing.Columns {
		want := asNumber
		if c.Kind == dataset.Categorical {
			want = asCategory
		}
		require.Equal(t, want, r.column(c.Name).Training, c.Name)
		if c.Kind == dataset.Categorical && len(c.Categories) > 0 {
			require.EqualValues(t, len(c.Categories), r.column(c.Name).Distinct, c.Name)
		}
	}
}

func TestTheTextFits(t *testing.T) {
	var out bytes.Buffer
	r := report(t, messy()+strings.Repeat("1,2024-01-01,01/01/2024 10:00,$1,1%,yes,00001,日本語日本語日本語日本語,1,n,,1,\"a\x1b[31m\tb\",日本語日本語,1,1\n", 3), "messy.csv", "grade")
	require.NoError(t, r.WriteText(&out))
	table, _, _ := strings.Cut(out.String(), "Suggested spec")
	for line := range strings.Lines(table) {
		require.LessOrEqual(t, runewidth.StringWidth(strings.TrimSuffix(line, "\n")), lineWidth, line)
	}
	require.NotContains(t, out.String(), "\x1b")
	require.Contains(t, out.String(), "id                       number")
}

func TestThePageIsSafeAndWhole(t *testing.T) {
	r := report(t, "<script>alert(1)</script>,y\n"+strings.Repeat("\"<img src=x>\",1\n\"</svg>&\",0\n", 20), "<b>.csv", "")
	var out bytes.Buffer
	require.NoError(t, r.WriteHTML(&out))
	require.NotContains(t, out.String(), "<script")
	require.NotContains(t, out.String(), "<img")
	require.Contains(t, out.String(), "&lt;img src=x&gt;")
	require.Equal(t, strings.Count(out.String(), "<svg"), strings.Count(out.String(), "</svg>"))
	require.NotContains(t, out.String(), "http", "it needs no other file")
	require.Contains(t, out.String(), "prefers-color-scheme: dark")
}

// Counting is exact up to the bound. Beyond it, a count is a lower bound that is at most lost
// too small, and the estimate of the different texts is close.
func TestCounterAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 20).Draw(t, "most")
		words := rapid.SliceOfN(rapid.StringMatching(`[ab]{0,4}`), 0, 200).Draw(t, "words")
		c, exact := newCounter(most), map[string]int64{}
		for _, w := range words {
			c.add(w)
			exact[w]++
		}
		n, estimated := c.distinct()
		require.Equal(t, len(exact) > most, estimated)
		if !estimated {
			require.EqualValues(t, len(exact), n)
		}
		require.InDelta(t, len(exact), n, float64(len(exact))/10+1)
		for w, e := range c.counts {
			require.LessOrEqual(t, e.n, exact[w])
			require.GreaterOrEqual(t, e.n+c.lost, exact[w])
		}
		require.LessOrEqual(t, c.lost, int64(len(words)/(most+1)))
	})
}

func TestCounterOfMany(t *testing.T) {
	c := newCounter(100)
	for i := range 200_000 {
		c.add(fmt.Sprint(i % 50_000))
		if i%10 == 0 {
			c.add("often")
		}
	}
	n, estimated := c.distinct()
	require.True(t, estimated)
	require.InEpsilon(t, 50_001, n, 0.03)
	top := c.top(3)
	require.Equal(t, "often", top[0].Value)
	require.True(t, top[0].AtLeast)
	require.LessOrEqual(t, len(c.counts), 100)
	long := strings.Repeat("x", 10_000)
	require.NotEqual(t, key(long), key(long+"y"))
	require.Less(t, len(key(long)), 300)
}

func TestNumbersAgainstThePlainWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 200).Draw(t, "xs")
		s := newNumbers(1000)
		sum := 0.0
		for i, x := range xs {
			s.add(x, int64(i+1))
			sum += x
		}
		mean, square := sum/float64(len(xs)), 0.0
		for _, x := range xs {
			square += (x - mean) * (x - mean)
		}
		n := s.describe()
		require.InDelta(t, mean, *n.Mean, 1e-6)
		require.InDelta(t, math.Sqrt(square/float64(len(xs))), *n.Std, 1e-5)
		require.Equal(t, xs[n.MinRow-1], n.Min)
		require.Equal(t, xs[n.MaxRow-1], n.Max)
		if n.Histogram != nil {
			total := int64(0)
			for _, k := range n.Histogram.Counts {
				total += k
			}
			require.EqualValues(t, len(xs), total)
		}
	})
	s := newNumbers(5)
	for i, x := range []float64{5, 1, 4, 2, 3} {
		s.add(x, int64(i))
	}
	require.InDeltaSlice(t, []float64{1.04, 1.2, 2, 3, 4, 4.8, 4.96}, s.describe().Quantiles, 1e-12) // numpy.quantile([1..5], …)
	s = newNumbers(2000)
	for i := range 100_000 {
		s.add(float64(i), int64(i))
	}
	require.InDelta(t, 50_000, s.describe().Quantiles[3], 4_000, "each value has the same chance to be in the sample")
	s = newNumbers(10)
	for _, x := range []float64{-math.MaxFloat64, math.MaxFloat64, 0} {
		s.add(x, 1)
	}
	_, err := json.Marshal(s.describe())
	require.NoError(t, err, "figures that overflow are left out")
}

func TestOtherSources(t *testing.T) {
	inline, err := Inspect(t.Context(), &ingest.Ingest{}, Request{Data: job.Data{Inline: &job.Inline{X: json.RawMessage(`[[1,2],[3,null]]`), Y: json.RawMessage(`["a","b"]`)}}})
	require.NoError(t, err)
	require.EqualValues(t, 1, inline.Columns[1].Missing)
	require.NotEmpty(t, inline.NoSpec)
	idx := report(t, "\x00\x00\x08\x02\x00\x00\x00\x03\x00\x00\x00\x02\x05\x01\x06\x01\x07\x01", "a.idx", "")
	require.Equal(t, []string{"x0", "x1"}, []string{idx.Columns[0].Name, idx.Columns[1].Name})
	require.Equal(t, Constant, idx.Columns[1].Kind)
	for text, want := range map[string]string{"a,b\n": "no rows", "a,b\n1\n": "line 2", "": "empty"} {
		_, err := Inspect(t.Context(), &ingest.Ingest{Sources: one(text)}, Request{Data: job.Data{Source: "a.csv", Format: job.CSV}})
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	_, err = Inspect(t.Context(), &ingest.Ingest{Sources: one("a,b\n1,2\n")}, Request{Data: job.Data{Source: "a.csv", Format: job.CSV}, Label: "aa"})
	require.ErrorContains(t, err, `label: no column "aa"`)
	_, err = Inspect(t.Context(), &ingest.Ingest{Sources: one("")}, Request{Data: job.Data{Source: "a"}})
	require.ErrorContains(t, err, "data.format: missing")
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	file, page, made := filepath.Join(dir, "messy.csv"), filepath.Join(dir, "page.html"), filepath.Join(dir, "spec.yaml")
	require.NoError(t, os.WriteFile(file, []byte(messy()), 0o600))
	run := func(c *Command) (string, error) {
		q, err := c.request()
		if err != nil {
			return "", err
		}
		var out bytes.Buffer
		err = c.inspect(t.Context(), q, &out, io.Discard)
		return out.String(), err
	}
	first, err := run(&Command{Source: file, Label: "grade", HTML: page, Spec: made, JSON: true})
	require.NoError(t, err)
	again, err := run(&Command{Source: file, Label: "grade", JSON: true})
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.FileExists(t, page)
	out, err := run(&Command{Source: made})
	require.NoError(t, err)
	require.Contains(t, out, "left out: the spec leaves it out")
	require.Contains(t, out, "the label (the spec names it)")
	folder, err := run(&Command{Source: dir, Label: "grade", JSON: true})
	require.NoError(t, err)
	require.Contains(t, folder, `"rows":120`)
	_, err = run(&Command{Source: file, Label: "note", Spec: made})
	require.ErrorContains(t, err, "--spec: no spec is suggested")
	_, err = run(&Command{Source: filepath.Join(dir, "nothing.csv")})
	require.ErrorContains(t, err, "no such file")
	_, err = run(&Command{Source: page})
	require.ErrorContains(t, err, "--format")
}

func TestFit(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "column-%d,", i)
	}
	b.WriteString("y\n")
	for row := range 40 {
		b.WriteString(strings.Repeat(fmt.Sprintf("%d,", row%7), 3000) + fmt.Sprint(row) + "\n")
	}
	r := report(t, b.String(), "wide.csv", "y")
	require.NoError(t, r.Fit(900<<10))
	size, err := r.size()
	require.NoError(t, err)
	require.LessOrEqual(t, size, 900<<10)
	require.NotEmpty(t, r.Columns)
	require.Equal(t, 3001, r.Width)
	require.NoError(t, r.Fit(20<<10))
	require.Error(t, r.Fit(10))
}
