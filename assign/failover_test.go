package assign_test

import (
	"testing"

	"github.com/groupkit/groupkit/assign"
)

func TestFailover(t *testing.T) {
	standby := func(label string) assign.Group {
		g := group("t:2 u:1", "C0: t u", "C1: t u", "C2: u")
		g.Members[0].Labels = map[string]string{label: "2"}
		g.Members[1].Labels = map[string]string{label: "1"}
		return g
	}
	draining := standby("priority")
	draining.Members[1].Draining = true
	back := standby("priority")
	back.Members[0].Owned = []assign.TopicPartitions{{Topic: "t", Partitions: []int32{0, 1}}, {Topic: "u", Partitions: []int32{0}}}
	negative := standby("priority")
	negative.Members[0].Labels["priority"] = "-5"
	for _, test := range []struct {
		name     string
		group    assign.Group
		failover assign.Failover
		want     string
	}{
		{"the lowest number has all", standby("priority"), assign.Failover{}, "C0[] C1[t:0,1 u:0] C2[]"},
		{"a negative number is lower", negative, assign.Failover{}, "C0[t:0,1 u:0] C1[] C2[]"},
		{"a label of one's own", standby("rank"), assign.Failover{Label: "rank"}, "C0[] C1[t:0,1 u:0] C2[]"},
		{"without a label by id", standby("other"), assign.Failover{}, "C0[t:0,1 u:0] C1[] C2[]"},
		{"draining", draining, assign.Failover{}, "C0[t:0,1 u:0] C1[] C2[]"},
		{"the first comes back", back, assign.Failover{}, "C0[] C1[t:0,1 u:0] C2[]"},
		{"the first comes back and waits", back, assign.Failover{StayPut: true}, "C0[t:0,1 u:0] C1[] C2[]"},
		{"only a standby subscribes", group("u:2", "C0: t", "C1: u"), assign.Failover{}, "C0[] C1[u:0,1]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := brief(mustAssign(t, test.failover, test.group).Assignment); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
