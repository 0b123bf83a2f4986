package ingest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// files writes files below a folder, by their paths.
func filesBelow(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

var manyFiles = map[string]string{
	"d/b.csv": "a,y\n3,3\n", "d/a.csv": "a,y\n1,1\n2,2\n", "d/c.csv.gz": "y;a\n4;4\n", "d/README.md": "# x", "d/.hidden.csv": "z\n",
	"d/e/f.csv": "a,y\n9,9\n", "odd/x[1].csv": "a,y\n5,5\n6,6\n", "odd/%41.csv": "a,y\n7,7\n", "none/x.txt": "x", "other/a.csv": "a,y\n1,1\n", "other/b.csv": "a,z\n1,1\n",
	"bad/a.csv": "a,y\n1,1\n", "bad/b.csv": "a,y\n1,1,1\n",
}

func TestSeveralFiles(t *testing.T) {
	dir := filesBelow(t, manyFiles)
	outside := filesBelow(t, map[string]string{"s.csv": "a,y\n1,1\n"})
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link")))
	for _, from := range []*Roots{{Anywhere: true}, {Folders: []string{t.TempDir(), dir}}} {
		under := func(name string) string { return name }
		if from.Anywhere {
			under = func(name string) string { return filepath.Join(dir, name) }
		}
		for source, want := range map[string][][]float32{
			"d":              {{1}, {2}, {3}, {4}},
			"d/":             {{1}, {2}, {3}, {4}},
			"d/*.csv":        {{1}, {2}, {3}},
			"d/[ab].csv":     {{1}, {2}, {3}},
			"*/?.csv":        nil,
			"odd/x[1].csv":   {{5}, {6}},
			"odd/*":          {{7}, {5}, {6}},
			"d/*/f.csv":      {{9}},
			"file:d/a.csv":   {{1}, {2}},
			"other/../d/*.c": nil,
		} {
			spec := csvSpec()
			spec.Data.Source = under(source)
			if rest, ok := strings.CutPrefix(source, "file:"); ok {
				spec.Data.Source = "file:" + under(rest)
			}
			if want == nil {
				_, err := run(t, spec, from)
				require.ErrorIs(t, err, job.ErrInvalid, source)
				continue
			}
			if len(want) < 2 {
				spec.Data.Test = spec.Data.Source
				spec.Data.Source = under("d")
				require.Equal(t, want, mustRun(t, spec, from).x[job.Test], source)
				continue
			}
			o := mustRun(t, spec, from)
			require.Equal(t, want, o.x[job.Train], source)
			require.NoError(t, from.Allowed(spec.Data.Source), source)
			if source == "d" {
				require.Contains(t, strings.Join(o.said, "\n"), "data.source: 3 files, sorted by name, from a.csv to c.csv.gz (1 files of other names are left out)")
				require.Contains(t, strings.Join(o.said, "\n"), "read 4 rows of 1 columns from 3 files")
			}
		}
		for source, want := range map[string]string{
			"none":     "no file whose name shows the format csv",
			"other":    `b.csv": header: column "z", which the first file does not have`,
			"bad":      `b.csv": line 2: 3 cells, the header has 2`,
			"d/[":      "the wildcards are malformed",
			"d/*.json": "no such file",
		} {
			spec := csvSpec()
			spec.Data.Source = under(source)
			_, err := run(t, spec, from)
			require.ErrorIs(t, err, job.ErrInvalid, source)
			require.ErrorContains(t, err, want, source)
		}
	}
	below := &Roots{Folders: []string{dir}}
	for _, source := range []string{"link", "link/*", "../*/*.csv", outside, outside + "/*", "link/s.csv"} {
		require.ErrorIs(t, below.Allowed(source), job.ErrInvalid, source)
		spec := csvSpec()
		spec.Data.Source = source
		_, err := run(t, spec, below)
		require.ErrorIs(t, err, job.ErrInvalid, source)
	}
}

// All files together have at most the bytes of a source.
func TestSeveralFilesAreBounded(t *testing.T) {
	files := map[string]string{}
	for i := range 10 {
		files[fmt.Sprintf("d/%d.csv", i)] = "a,y\n" + strings.Repeat("1,2\n", 100)
	}
	spec := csvSpec()
	spec.Data.Source = filepath.Join(filesBelow(t, files), "d")
	in := &Ingest{Sources: local, Store: discard{}, MaxBytes: 4000}
	_, err := in.Run(t.Context(), spec)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "9.csv\": over the limit of")
}
