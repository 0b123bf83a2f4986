package train

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests in the root folder of the repository, relative to which the
// worked jobs name their data. It requires that every goroutine ends, with two exceptions
// in nats.go. An object's Put may end before the goroutine has read the field that it then
// waits on, which is nil by then. An object's Get leaves its handler behind when the context
// ends between the subscription and the return: nobody has the pipe that it writes to.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats.go/jetstream.(*obs).Get.func2"))
}
