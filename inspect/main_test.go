package inspect_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing may outlive the tests: whoever starts a goroutine waits for it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
