package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// classSpec classifies column y of source "in".
func classSpec() *job.Spec {
	spec := csvSpec()
	spec.Loss = job.SoftmaxCrossEntropy
	return spec
}

// labels is a CSV file with that many rows of each label.
func labels(each int, texts ...string) sources {
	var b strings.Builder
	b.WriteString("a,y\n")
	for i := range each * len(texts) {
		fmt.Fprintf(&b, "%d,%q\n", i, texts[i%len(texts)])
	}
	return sources{"in": []byte(b.String())}
}

// Different texts are different classes, unless they are plain numbers that are equal.
func TestClassesKeepTheirTexts(t *testing.T) {
	for name, c := range map[string]struct{ texts, want []string }{
		"above 2⁵³":         {[]string{"1234567890123456789", "1234567890123456790", "1234567890123457789"}, []string{"1234567890123456789", "1234567890123456790", "1234567890123457789"}},
		"beside small ones": {[]string{"9007199254740993", "9007199254740992", "3"}, []string{"3", "9007199254740992", "9007199254740993"}},
		"leading zeros":     {[]string{"007", "7", "07"}, []string{"007", "07", "7"}},
		"powers":            {[]string{"1e3", "1000"}, []string{"1000", "1e3"}},
		"signs":             {[]string{"+1", "1"}, []string{"+1", "1"}},
		"decimals":          {[]string{"1.1", "1.10"}, []string{"1.1", "1.10"}},
		"dates":             {[]string{"2024-01-02", "2024-01-03"}, []string{"2024-01-02", "2024-01-03"}},
		"beyond floats":     {[]string{strings.Repeat("9", 300), strings.Repeat("9", 299) + "8"}, []string{strings.Repeat("9", 299) + "8", strings.Repeat("9", 300)}},
		"plain":             {[]string{"10", "9", "-2", "0.5"}, []string{"-2", "0.5", "9", "10"}},
		"pandas' floats":    {[]string{"10.0", "9.0", "9"}, []string{"9", "10"}},
	} {
		o := mustRun(t, classSpec(), labels(2, c.texts...))
		require.Equal(t, c.want, o.Classes, name)
		if said := strings.Join(o.said, "\n"); name == "plain" || name == "pandas' floats" || name == "dates" {
			require.NotContains(t, said, "its classes", name)
		} else {
			require.Contains(t, said, `label "y": each different text is a class of its own, because of "`, name)
		}
	}
	o := mustRun(t, classSpec(), labels(2, "7", "007"))
	require.Contains(t, strings.Join(o.said, "\n"), `because of "007" in line 3: read as numbers, different texts could become one class`)
}

// The same holds for a spec's own data, which comes through JSON.
func TestInlineClassesKeepTheirTexts(t *testing.T) {
	for y, want := range map[string][]string{
		`[9007199254740993, 9007199254740995, 3]`: {"3", "9007199254740993", "9007199254740995"},
		`["007", "7", 7]`:                         {"007", "7"},
		`["1e3", 1000, "a"]`:                      {"1000", "1e3", "a"},
		`[true, false, "true"]`:                   {"false", "true"},
		`[1.0, 2, "2.0"]`:                         {"1", "2"},
		`[1234567890123456789012345678901, 1234567890123456789012345678902,3]`: {"1234567890123456789012345678901", "1234567890123456789012345678902", "3"},
	} {
		require.Equal(t, want, mustRun(t, inlineSpec(job.SoftmaxCrossEntropy, `[1,2,3]`, y), nil).Classes, y)
	}
	o := mustRun(t, inlineSpec(job.SoftmaxCrossEntropy, `[1,2,3]`, `[9007199254740993, 9007199254740995, 3]`), nil)
	require.Contains(t, strings.Join(o.said, "\n"), `because of "9007199254740993" in data.inline.y[0]`)
	o = mustRun(t, inlineSpec(job.MSE, `[[1],[9007199254740993],[3]]`, `[1,2,3]`), nil)
	require.Contains(t, o.said, "data.inline.x[1][0]: 9007199254740993 is read as 9007199254740992, since a 64-bit float does not hold all its digits (as text in a CSV column it keeps them)")
}

// A test source's label has the same meaning as in the training source.
func TestATestSourcesLabelsAreNotMerged(t *testing.T) {
	spec := classSpec()
	spec.Data.Test = "test"
	from := labels(2, "7", "8")
	from["test"] = []byte("a,y\n1,7.0\n2,8\n")
	require.Len(t, mustRun(t, spec, from).y[job.Test], 2)
	from["test"] = []byte("a,y\n1,7\n2,007\n")
	_, err := run(t, spec, from)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `row 2: label "y": class "007" is not among the training source's`)
}

// Integers that would lose information as numbers are categories, and a note says so.
// Measurements with leading zeros are numbers.
func TestIdentifiersAreText(t *testing.T) {
	read := func(cells ...string) *outcome {
		var b strings.Builder
		b.WriteString("a,y\n")
		for i, cell := range cells {
			fmt.Fprintf(&b, "%q,%d\n", cell, i)
		}
		return mustRun(t, csvSpec(), sources{"in": []byte(b.String())})
	}
	for first, cells := range map[string][]string{
		`"007" in line 3`:                 {"7", "007", "12"},
		`"1234567890123456789" in line 2`: {"1234567890123456789", "1234567890123456790"},
	} {
		o := read(cells...)
		require.Len(t, o.Preprocessing.Columns[0].Categories, len(cells))
		require.Contains(t, o.said, `column "a" is read as text, with a category for each different text, because of `+first+
			": as a number it would lose a leading zero, or digits that a 64-bit float does not hold")
	}
	for _, cells := range [][]string{{"00.5", "1.5"}, {"01", "2.5"}, {"1e3", "1000"}, {"+1", "2"}, {"9007199254740994", "3"}, {"0", "-0"}} {
		require.Equal(t, dataset.Numeric, read(cells...).Preprocessing.Columns[0].Kind, cells)
	}
	o := mustRun(t, csvSpec(), sources{"in": []byte("a,y\n1,1700000000123456789\n2,1700000000123456790\n3,0\n")})
	require.Contains(t, o.said, `label "y" is read as numbers, in which "1700000000123456789" in line 2 loses a leading zero or digits that a 64-bit float does not hold`)
}

// Numbers in another form never become categories without a note.
func TestCellsThatLookLikeNumbersAreNoted(t *testing.T) {
	for _, text := range []string{"USD 1000", "1 000", "1.000,5", "2024-01-31", "31.01.2024", "12:30", "Jan 5, 2024", "(100)", "100 kg", "0x10", "٣"} {
		o := mustRun(t, csvSpec(), sources{"in": []byte(fmt.Sprintf("a,y\n%q,1\n%q,2\n", text, text))})
		require.Contains(t, o.said, fmt.Sprintf(`column "a" is read as text, with a category for each different text, because of %q in line 2: write plain numbers, or set its type in data.columns (number, date), to make it numeric`, text))
	}
	for _, text := range []string{"red", "2Story", "null", "No. 1 Ridgewood"} {
		o := mustRun(t, csvSpec(), sources{"in": []byte(fmt.Sprintf("a,y\n%q,1\n%q,2\n", text, text))})
		require.NotContains(t, strings.Join(o.said, "\n"), "is read as text", text)
	}
}

// Texts are compared with their blanks, and a note says so where it matters.
func TestBlanksAroundTexts(t *testing.T) {
	o := mustRun(t, classSpec(), sources{"in": []byte("a,y\nred,no\n red,yes\nblue ,no \n")})
	require.Equal(t, []string{" red", "blue ", "red"}, o.Preprocessing.Columns[0].Categories)
	require.Equal(t, []string{"no", "no ", "yes"}, o.Classes)
	require.Contains(t, o.said, `column "a": " red" and "red" are two categories, although they differ only in blanks`)
	require.Contains(t, o.said, `label "y": "no " and "no" are two classes, although they differ only in blanks`)
}

// A note reports categories that a test source has and the training rows do not have.
func TestCategoriesOfTheTestRowsAlone(t *testing.T) {
	spec := csvSpec()
	spec.Data.Test = "test"
	o := mustRun(t, spec, sources{"in": []byte("a,b,y\nred,1,1\nblue,2,2\n"), "test": []byte("a,b,y\nred,1,1\ngreen,2,2\npink,1,2\n")})
	require.Contains(t, o.said, `test: column "a": 2 of 3 rows have a category that no training row has: it is encoded as no category`)
	require.NotContains(t, strings.Join(o.said, "\n"), "train: column")
}

// Commas between thousands are read if every cell agrees, in training and in prediction.
func TestThousands(t *testing.T) {
	o := mustRun(t, csvSpec(), sources{"in": []byte("a,y\n\"1,000\",1\n999.5,2\n\"-12,345.25\",3\n")})
	require.Equal(t, [][]float32{{1000}, {999.5}, {-12345.25}}, o.x[job.Train])
	require.Contains(t, o.said, `column "a" is read as numbers with commas between thousands: "1,000" in line 2`)
	require.Equal(t, map[string]int{key([]float32{1000}): 2, key([]float32{7}): 1}, applied(t, o, "a\n\"1,000\"\n1000\n7\n"))

	for _, other := range []string{"1000", "x", "inf", "007"} { // not separated, or not in this way
		o := mustRun(t, csvSpec(), sources{"in": []byte(fmt.Sprintf("a,y\n\"1,000\",1\n%q,2\n", other))})
		require.Equal(t, dataset.Categorical, o.Preprocessing.Columns[0].Kind, other)
		require.Contains(t, strings.Join(o.said, "\n"), `column "a" is read as text`, other)
	}

	spec := csvSpec()
	spec.Data.Test = "test"
	from := sources{"in": []byte("a,y\n\"1,000\",1\n999,2\n"), "test": []byte("a,y\n1000,1\n\"2,000\",2\n")}
	require.Equal(t, [][]float32{{1000}, {2000}}, mustRun(t, spec, from).x[job.Test])
	from["in"] = []byte("a,y\n1000,1\n999,2\n")
	_, err := run(t, spec, from)
	require.ErrorContains(t, err, `line 3: column "a": text "2,000" in a numeric column`)
}

// applied counts the rows that the preprocessing makes of a CSV file for a prediction.
func applied(t *testing.T, o *outcome, text string) map[string]int {
	t.Helper()
	rows := map[string]int{}
	err := o.Preprocessing.ReadRows(t.Context(), strings.NewReader(text), dataset.CSVInput, func(_ dataset.Place, values []dataset.Value) error {
		x := make([]float32, o.Features)
		err := o.Preprocessing.Apply(x, values, nil)
		rows[key(x)]++
		return err
	})
	require.NoError(t, err)
	return rows
}
