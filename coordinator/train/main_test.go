package train

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests at the root of the repository, from where the worked
// jobs name their data, and wants every goroutine ended. The one let off is
// nats.go's: an object's Put may end before that goroutine has read the field
// it then waits on, which is nil by then.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}
