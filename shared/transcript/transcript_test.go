package transcript

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnswersReplaceThoseOfTheFile(t *testing.T) {
	var lines []string
	got := played("A comment.\n\n> a\n  an old answer\n  another\n> b\n> c", func(line string) []string {
		lines = append(lines, line)
		return map[string][]string{"> a": {"one"}, "> c": {"two", "three"}}[line]
	})
	require.Equal(t, "A comment.\n\n> a\n  one\n> b\n> c\n  two\n  three\n", got)
	require.Equal(t, []string{"A comment.", "", "> a", "> b", "> c"}, lines)
	again := played(got, func(line string) []string {
		return map[string][]string{"> a": {"one"}, "> c": {"two", "three"}}[line]
	})
	require.Equal(t, got, again)
}
