// Package leaktest sees that tests leave no goroutine behind.
package leaktest

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// VerifyTestMain runs the tests of a package and exits, and fails where they left a
// goroutine behind. It waits for those that are about to end, for which goleak's own half a
// second is not enough on a busy machine.
func VerifyTestMain(m *testing.M) { goleak.VerifyTestMain(waiting{m}) }

// waiting runs tests, and then waits until nothing of them runs, or for long enough.
type waiting struct{ *testing.M }

// Run implements [goleak.TestingM].
func (w waiting) Run() int {
	code := w.M.Run()
	for deadline := time.Now().Add(30 * time.Second); goleak.Find() != nil && time.Now().Before(deadline); {
	}
	return code
}
