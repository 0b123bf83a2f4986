// Package transcript checks a state machine against files that people can read. The lines
// of a file tell the machine what happens; below each stand the machine's answers.
//
// It owns the form of the files and the flag -rewrite. What a line means, the caller
// decides. Only tests call it.
//
// Invariant: without -rewrite, no file changes.
package transcript

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts in testdata with the answers of today")

// answer begins each line of the expected answers.
const answer = "  "

// Run plays each file that matches pattern, in a subtest with the file's name. It calls
// open for each file. open returns a function that takes one line and returns the
// machine's answers to it, one line each. That function also gets empty lines, comments
// and settings of the machine, but never the expected answers.
//
// A subtest fails if the answers are not those in the file. With -rewrite, Run writes the
// answers into the file instead. Read the diff.
func Run(t *testing.T, pattern string, open func(t *testing.T) (play func(line string) []string)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, "no transcript matches %s", pattern)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := played(string(want), open(t))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(want), got)
		})
	}
}

// played returns the transcript with the answers of play.
func played(transcript string, play func(line string) []string) string {
	var out strings.Builder
	for line := range strings.Lines(transcript) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, answer) {
			continue
		}
		fmt.Fprintln(&out, line)
		for _, a := range play(line) {
			fmt.Fprintln(&out, answer+a)
		}
	}
	return out.String()
}
