package hint_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/hint"
)

func TestHints(t *testing.T) {
	metrics := []string{"accuracy", "rmse", "mae", "r2", "auc", "log_loss"}
	for word, want := range map[string]string{
		"acuracy": "accuracy", "Accuracy": "accuracy", "rsme": "rmse", "logloss": "log_loss", "log-loss": "log_loss", "R2": "r2", "auk": "auc",
		"precision": "", "": "", "f1": "", "z": "", "ab": "", "accuracy": "", strings.Repeat("a", 1000): "",
	} {
		if want != "" {
			want = `; did you mean "` + want + `"?`
		}
		require.Equal(t, want, hint.For(word, metrics), word)
	}
	require.Empty(t, hint.For("a", nil))
	require.Equal(t, `; did you mean "größe"?`, hint.For("grösse", []string{"größe"}))
}
