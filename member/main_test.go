package member

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind: neither this package's nor the client's.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
