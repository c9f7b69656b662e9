package inspect_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// Nothing may outlive the tests: whoever starts a goroutine waits for it.
func TestMain(m *testing.M) {
	flag.Parse()
	// Those that run next to each other wait for brokers, and hardly compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
