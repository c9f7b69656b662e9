package member

import (
	"testing"

	"github.com/groupkit/groupkit/internal/leaktest"
)

// No test may leave a goroutine behind: neither this package's nor the client's.
func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }
