package inspect_test

import (
	"flag"
	"testing"

	"github.com/groupkit/groupkit/internal/leaktest"
)

// Nothing may outlive the tests: whoever starts a goroutine waits for it.
func TestMain(m *testing.M) {
	flag.Parse()
	// Those that run next to each other wait for brokers, and hardly compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	leaktest.VerifyTestMain(m)
}
