package integration

import (
	"os"
	"testing"

	"github.com/groupkit/groupkit/integration/cluster"
)

// TestMain is the entry of several programs: the tests, and the processes that tests
// start in order to kill them.
func TestMain(m *testing.M) {
	if os.Getenv(processVariable) != "" {
		runProcess()
		return
	}
	if os.Getenv(soakVariable) != "" {
		runSoakProcess()
		return
	}
	cluster.Main(m)
}
