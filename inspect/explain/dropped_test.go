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

// TestWhoWasDroppedInAWaitThatHadBegunBefore the first look was not silent: the log tells
// that it was there before.
func TestWhoWasDroppedInAWaitThatHadBegunBefore(t *testing.T) {
	a, b, d := member("a-1", 0, 1), member("b-1", 2, 3), member("d-1")
	for _, m := range []*watch.Member{&a, &b, &d} {
		m.SessionTimeout, m.RebalanceTimeout = watch.Millis(5*time.Second), watch.Millis(12*time.Second)
	}
	v := Diagnose("g", []Observation{
		logged(0, 1, a, b), polled(10, "PreparingRebalance", a, b, d), polled(21.5, "PreparingRebalance", a, b, d),
		logged(22, 2, a, d), polled(22.5, "Stable", a, d), said(30, Said{Member: "b-1", Kind: "lost", Error: "UNKNOWN_MEMBER_ID"}),
	}, Limits{}).Verdicts[0]
	if v.Cause != SlowToRejoin || len(v.Members) != 1 {
		t.Errorf("%+v", v)
	}
}
