package explain

import (
	"strings"
	"testing"
)

// TestTwoProcessesWithOneInstanceID are told by what they say alone: the group is quiet.
func TestTwoProcessesWithOneInstanceID(t *testing.T) {
	a, b := member("a-1", 0, 1), member("b-1", 2, 3)
	d := Diagnose("g", []Observation{
		polled(0, "Stable", static(a), b), polled(9, "Stable", static(a), b),
		said(3, Said{Member: "inst-a-2", Instance: "inst-a", ClientID: "other", Kind: "joining"}),
		said(4, Said{Member: "a-1", Instance: "inst-a", ClientID: "a", Kind: "lost", Error: "FENCED_INSTANCE_ID"}),
	}, Limits{})
	want := `Two processes use the instance id "inst-a": their client ids are "a" and "other".`
	if v := d.Verdicts[0]; len(d.Verdicts) != 1 || v.Cause != DuplicateInstance || v.Sure != Certain || v.Says != want || !strings.Contains(v.Evidence[0].Text, "a-1 was fenced out") {
		t.Errorf("%+v", d.Verdicts)
	}
}
