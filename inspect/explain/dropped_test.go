package explain

import (
	"testing"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// TestWhoseSessionOutlastsTheWaitWasDropped, though looks saw less of the wait than it took.
func TestWhoseSessionOutlastsTheWaitWasDropped(t *testing.T) {
	a, b, d := member("a-1", 0, 1), member("b-1", 2, 3), member("d-1")
	seen := []Observation{
		hurried(polled(0, "Stable", a, b)), hurried(polled(1.8, "PreparingRebalance", a, b, d)), hurried(polled(12.5, "PreparingRebalance", a, b, d)),
		hurried(polled(13.5, "CompletingRebalance", a, d)), hurried(polled(14, "Stable", a, d)),
		said(14, Said{Member: "b-1", Kind: "lost", Error: "UNKNOWN_MEMBER_ID"}),
	}
	for _, o := range seen[:5] {
		for i := range o.Look.Members {
			o.Look.Members[i].SessionTimeout = watch.Millis(45 * time.Second)
		}
	}
	if v := Diagnose("g", seen, Limits{}).Verdicts[0]; v.Cause != SlowToRejoin {
		t.Errorf("%+v", v)
	}
}
