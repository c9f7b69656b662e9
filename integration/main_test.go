package integration

import (
	"os"
	"testing"

	"github.com/groupkit/groupkit/integration/cluster"
)

// TestMain is the entry of two programs: the tests, and the consumer processes that
// tests start in order to kill them.
func TestMain(m *testing.M) {
	if os.Getenv(processVariable) != "" {
		runProcess()
		return
	}
	cluster.Main(m)
}
