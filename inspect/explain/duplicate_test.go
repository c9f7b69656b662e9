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
	want := `Two processes use the instance id "inst-a" (client ids "a" and "other").`
	if v := d.Verdicts[0]; len(d.Verdicts) != 1 || v.Cause != DuplicateInstance || v.Sure != Certain || v.Says != want || !strings.Contains(v.Evidence[0].Text, `"a-1" was fenced out`) {
		t.Errorf("%+v", d.Verdicts)
	}
}

// TestAMemberOfKIP848ThatIsRefused for its instance's ID, or for the group's type.
func TestAMemberOfKIP848ThatIsRefused(t *testing.T) {
	for _, test := range []struct {
		err   string
		cause Cause
		sure  Sureness
		says  string
	}{
		{"UNRELEASED_INSTANCE_ID: The instance ID is still used by another member.", DuplicateInstance, Likely, `Two processes use the instance id "inst-a" (client id "a"), or one that died has its place kept until its session ends.`},
		{"GROUP_ID_NOT_FOUND: The group id does not exist.", BetweenTypes, Certain, `The group does not change its type: "inst-a", which speaks KIP-848, was refused.`},
	} {
		d := Diagnose("g", []Observation{
			polled(0, "Stable", member("a-1", 0, 1)), polled(9, "Stable", member("a-1", 0, 1)),
			said(3, Said{Member: "a-2", Instance: "inst-a", ClientID: "a", Kind: "lost", Error: test.err}),
		}, Limits{})
		if v := d.Verdicts[0]; v.Cause != test.cause || v.Sure != test.sure || v.Says != test.says {
			t.Errorf("%+v", d.Verdicts)
		}
	}
}
