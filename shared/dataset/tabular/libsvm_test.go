package tabular_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// readLIBSVM reads the rows of a file as texts.
func readLIBSVM(t *testing.T, text string) (names []string, rows []string, err error) {
	t.Helper()
	open := func() *tabular.Source {
		s, err := tabular.Open(t.Context(), strings.NewReader(text), 1<<20)
		require.NoError(t, err)
		return s
	}
	var f tabular.Features
	if err := f.Read(open()); err != nil {
		return nil, nil, err
	}
	in := tabular.OpenLIBSVM(open(), &f)
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			return f.Names(), rows, nil
		}
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, strings.Join(row, ","))
	}
}

func TestLIBSVM(t *testing.T) {
	for text, want := range map[string][]string{
		"+1 1:0.5 3:-2e3\n-1 2:1\n":           {"label,x1,x2,x3", "1,0.5,0,-2e3", "-1,0,1,0"},
		"1.0 0:1\r\n\n# all\n0 2:3 # a row\n": {"label,x0,x1,x2", "1,1,0,0", "0,0,0,3"},
		"2 qid:7 2:1 1:5\n1.5 qid:8":          {"label,x1,x2", "2,5,1", "1.5,0,0"},
		"\xef\xbb\xbf+0.5\t1:1":               {"label,x1", "0.5,1"},
		"":                                    {"label"},
		"1\n2\n":                              {"label", "1", "2"},
	} {
		names, rows, err := readLIBSVM(t, text)
		require.NoError(t, err, text)
		require.Equal(t, want, append([]string{strings.Join(names, ",")}, rows...), text)
	}
	for text, want := range map[string]string{
		"1 1:a":                              `line 1: "1:a": the value: want a finite number`,
		"1 1:nan":                            "the value",
		"1 1:1e999":                          "the value",
		"1 1:0x10":                           "the value",
		"1 1:":                               "the value",
		"1 1":                                "want index:value",
		"1 -1:2":                             "the index: want a number from 0 to 1048574",
		"1 99999999999:2":                    "the index",
		"1 1048575:2":                        "the index",
		"1\n1 1:1 1:2":                       "line 2: index 1 is given twice",
		"1 3:1 2:1 3:2":                      "index 3 is given twice",
		"a 1:2":                              `the label "a": want a finite number`,
		"nan 1:2":                            "the label",
		"1,2 1:2":                            "several classes",
		"1:2 2:3":                            "want a label before the features",
		"1 qid:x 1:2":                        "want qid:number",
		"1 1:2 qid:3":                        "the index",
		"1 " + strings.Repeat("1:1", 12<<20): "over 33554432 bytes",
	} {
		if len(text) > 1<<20 {
			s, err := tabular.Open(t.Context(), strings.NewReader(text), 1<<30)
			require.NoError(t, err)
			require.ErrorContains(t, new(tabular.Features).Read(s), want)
			continue
		}
		_, _, err := readLIBSVM(t, text)
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
	}
}

// A test source must not have other features than the training source.
func TestFixedFeatures(t *testing.T) {
	f := (&tabular.Features{Most: 3}).Fixed()
	for text, want := range map[string]string{"1 1:1 3:2": "", "1 4:1": "line 1: index 4: the training source has the features 1 to 3", "1 0:1": "index 0"} {
		s, err := tabular.Open(t.Context(), strings.NewReader(text), 1<<20)
		require.NoError(t, err)
		if err = f.Read(s); want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

// FuzzLIBSVM checks that any bytes give an error or rows of as many cells as columns.
func FuzzLIBSVM(f *testing.F) {
	for _, text := range []string{"+1 1:0.5 3:-2e3\n-1 2:1\n", "1 qid:3 0:1 # x\n", "1:2", "\x1f\x8b"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := tabular.Open(t.Context(), bytes.NewReader(data), 1<<20)
		if err != nil {
			return
		}
		var features tabular.Features
		if features.Read(s) != nil {
			return
		}
		if features.Most > 1000 {
			return
		}
		s, err = tabular.Open(t.Context(), bytes.NewReader(data), 1<<20)
		require.NoError(t, err)
		in := tabular.OpenLIBSVM(s, &features)
		for {
			row, err := in.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			require.NoError(t, err)
			require.Len(t, row, len(features.Names()))
			require.False(t, slices.Contains(row, ""))
		}
	})
}
