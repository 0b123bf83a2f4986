package train

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

// trigger is a writer of lines that acts once, on the first line with the words.
type trigger struct {
	words string
	act   func()
	once  sync.Once
	seen  bytes.Buffer
}

func (w *trigger) Write(p []byte) (int, error) {
	w.seen.Write(p)
	if strings.Contains(w.seen.String(), w.words) {
		w.once.Do(w.act)
	}
	return len(p), nil
}

// endless is a job that never ends in a test.
func endless(t *testing.T) string {
	t.Helper()
	return replaced(t, worked(t, "digits.yaml"), "epochs: 30", "epochs: 100000")
}

// A stop at any time cancels the job, leaves nothing running, and leaves only a
// checkpoint.
func TestStop(t *testing.T) {
	for _, words := range []string{"preparing", "train: ", "step 6:", "step 30:"} {
		t.Run(words, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			soft, stop := context.WithCancelCause(t.Context())
			hard, kill := context.WithCancel(t.Context())
			defer kill()
			c := &Command{Workers: 3, Out: filepath.Join(t.TempDir(), "model")}
			began := time.Now()
			lines := &trigger{words: words, act: func() { began = time.Now(); stop(lifecycle.ErrStopped) }}
			o, err := begin(soft, hard, c, endless(t), lines)
			require.ErrorIs(t, err, lifecycle.ErrStopped)
			require.ErrorContains(t, err, "was cancelled")
			require.Nil(t, o)
			if strings.HasPrefix(words, "step") {
				kept, err := readState(c.Out)
				require.NoError(t, err)
				require.Positive(t, kept.Checkpoints[0].Step)
			} else {
				require.NoDirExists(t, filepath.Join(c.Out, registry.CardFile))
			}
			require.Less(t, time.Since(began), time.Minute)
			require.Contains(t, lines.seen.String(), string(job.Cancelled))
		})
	}
}

// A hard stop has no time to cancel the job, but is not a success either.
func TestStopInAHurry(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, stop := context.WithCancelCause(t.Context())
	c := &Command{Workers: 2, Out: filepath.Join(t.TempDir(), "model")}
	o, err := begin(ctx, ctx, c, endless(t), &trigger{words: "step 6:", act: func() { stop(lifecycle.ErrHurried) }})
	require.ErrorIs(t, err, lifecycle.ErrHurried)
	require.Nil(t, o)
	require.NoDirExists(t, c.Out)
}
