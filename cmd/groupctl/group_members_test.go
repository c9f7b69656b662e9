package main

import (
	"strings"
	"testing"

	"github.com/groupkit/groupkit/inspect"
)

// membersShown is the table of members of a group.
func membersShown(t *testing.T, wide bool, g inspect.Group) string {
	t.Helper()
	var b strings.Builder
	if err := writeTable(&b, wide, func(t *table) { memberTable(t, []inspect.Group{g}, name) }); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(b.String(), "\n")
}

func TestMembersHaveALineForEachTopic(t *testing.T) {
	yes, no, epoch, lag := true, false, int32(4), int64(7)
	orders := inspect.TopicPartitions{Topic: "orders", Partitions: []int32{0, 1, 2, 5}}
	payments := inspect.TopicPartitions{Topic: "payments", Partitions: []int32{1}}
	g := inspect.Group{Group: "g", Generation: &epoch, Members: []inspect.Member{
		{ID: "worker-1", ClientID: "worker", Host: "/10.0.0.1", Leader: &yes, Epoch: &epoch, Lag: &lag, Topics: []string{"orders", "payments"}, Assigned: []inspect.TopicPartitions{orders, payments}},
		{ID: "日本-2", ClientID: "日本", Host: "/10.0.0.2", Leader: &no, Epoch: &epoch, Topics: []string{"orders", "payments"}, Assigned: []inspect.TopicPartitions{}},
	}}
	want := `MEMBER    LEADS  HOST      LAG  PARTITIONS  ASSIGNED
worker-1  yes    10.0.0.1  7    5           orders[0-2,5]
                                            payments[1]
日本-2    no     10.0.0.2  -    0           -
`
	if got := membersShown(t, false, g); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := membersShown(t, true, g); strings.Count(got, "\n") != 3 || !strings.Contains(got, "orders,payments  orders[0-2,5] payments[1]") || !strings.Contains(got, "CLIENT") || !strings.Contains(got, "EPOCH") {
		t.Errorf("wide\n%s", got)
	}

	// Who is behind, waits for a partition or subscribed to what nobody has shows.
	old := int32(3)
	g.Members[0].Epoch, g.Members[0].Target = &old, []inspect.TopicPartitions{payments}
	g.Members[1].Target, g.Members[1].Topics = []inspect.TopicPartitions{orders}, []string{"missing", "orders"}
	want = `MEMBER    LEADS  HOST      EPOCH  LAG  PARTITIONS  TOPICS           ASSIGNED       TARGET
worker-1  yes    10.0.0.1  3      7    5           orders,payments  orders[0-2,5]  -
                                                                    payments[1]    payments[1]
日本-2    no     10.0.0.2  4      -    0           missing,orders   -              orders[0-2,5]
`
	if got := membersShown(t, false, g); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLongListsOfPartitionsAreCutShort(t *testing.T) {
	var odd []int32
	for p := int32(1); p < 2000; p += 2 {
		odd = append(odd, p)
	}
	all := ranges(odd)
	if got := cutShort(all); len(got) > 45 || !strings.HasSuffix(got, ",…") || !strings.HasPrefix(all, strings.TrimSuffix(got, "…")) {
		t.Errorf("%s", got)
	}
	if got := cutShort("0-1999"); got != "0-1999" {
		t.Errorf("%s", got)
	}
}
