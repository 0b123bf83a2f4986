package predict

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/registry"
)

// A row in is a line out, whatever is in a class, and each can be read back.
func TestAPredictionIsALine(t *testing.T) {
	for v, want := range map[any]string{
		"plain": "plain", "": "", "a b": "a b", "é <&>": "é <&>", "007": "007", `say "x"`: `say "x"`,
		"two\nlines": `"two\nlines"`, "cr\rlf": `"cr\rlf"`, "\ttab": `"\ttab"`, "\u2028": `"\u2028"`, `"quoted"`: `"\"quoted\""`, "\x1b[2J": `"\u001b[2J"`,
		"<\n>":       `"<\n>"`,
		float32(0.1): "0.1", float32(1e-9): "1e-9", 0.1: "0.1", float32(16777216): "16777216", 9007199254740992.0: "9007199254740992",
	} {
		got, err := line(v)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err := line([]any{float32(1.5), 2.25})
	require.NoError(t, err)
	require.Equal(t, "[1.5,2.25]", got)
}

func TestPredictionsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.SliceOfN(rapid.String(), 1, 9).Draw(t, "classes")
		p := &registry.Prediction{}
		for _, class := range classes {
			p.Predictions = append(p.Predictions, class)
		}
		x := rapid.Float32().Draw(t, "x")
		p.Predictions = append(p.Predictions, x)
		var out bytes.Buffer
		require.NoError(t, (&Command{}).write(&out, p))
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		require.Len(t, lines, len(p.Predictions))
		for i, class := range classes {
			got := lines[i]
			if strings.HasPrefix(got, `"`) {
				require.NoError(t, json.Unmarshal([]byte(lines[i]), &got))
			}
			require.Equal(t, class, got)
		}
		back, err := strconv.ParseFloat(lines[len(classes)], 32)
		require.NoError(t, err)
		require.Equal(t, x, float32(back))
	})
}
