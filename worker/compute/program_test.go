package compute

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/tree"
)

// A worker listens to a job only while it has a task of it, and drops the program of a
// job that sends no more tasks.
func TestAJobIsForgottenWhenNoTaskComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		c := f.worker(nil)
		defer c.Close()
		kept := func() (programs int, held int64) {
			c.programs.mu.Lock()
			defer c.programs.mu.Unlock()
			return c.programs.lru.Len(), c.programs.held
		}
		f.do(c, f.gradient(0, tree.Root))
		require.Empty(t, f.notices.commitHandlers)
		require.Empty(t, f.notices.recallHandlers)
		<-time.After(forgotten - time.Second)
		f.do(c, f.gradient(1, tree.Root))
		<-time.After(forgotten - time.Second)
		programs, held := kept()
		require.Equal(t, 1, programs)
		require.Positive(t, held)
		<-time.After(2 * time.Second)
		synctest.Wait()
		programs, held = kept()
		require.Zero(t, programs)
		require.Zero(t, held)
		f.do(c, f.gradient(2, tree.Root))
		require.Equal(t, f.reference(), f.roots(0, steps))
	})
}
