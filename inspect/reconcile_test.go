package inspect

import (
	"reflect"
	"testing"
)

func TestWhoHoldsUpAReconciliation(t *testing.T) {
	parts := func(p ...int32) []TopicPartitions { return []TopicPartitions{{Topic: "orders", Partitions: p}} }
	none := []TopicPartitions{}
	member := func(id string, epoch int32, has, target []TopicPartitions) Member {
		return Member{ID: id, Epoch: &epoch, Assigned: has, Owned: has, Target: target}
	}
	for _, test := range []struct {
		name     string
		members  []Member
		revoking map[string][]TopicPartitions
		want     []HoldUp
	}{
		{"nobody", []Member{member("a", 5, parts(0), parts(0))}, nil, []HoldUp{}},
		{"who waits does not hold up", []Member{member("a", 4, parts(0, 1), parts(0)), member("b", 5, none, parts(1))}, nil,
			[]HoldUp{{Member: "a", Epoch: ptr(int32(4)), Revoke: parts(1), Waiting: []string{"b"}}}},
		{"told to give up, and not yet done", []Member{member("a", 4, parts(0), parts(0)), member("b", 5, none, parts(1))}, map[string][]TopicPartitions{"a": parts(1)},
			[]HoldUp{{Member: "a", Epoch: ptr(int32(4)), Revoke: parts(1), Waiting: []string{"b"}}}},
		{"not heard of yet", []Member{member("a", 4, parts(0), parts(0))}, nil,
			[]HoldUp{{Member: "a", Epoch: ptr(int32(4)), Revoke: none, Waiting: []string{}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			group := &Group{Group: "g", Type: ptr(typeConsumer), TargetEpoch: ptr(int32(5)), Members: test.members}
			addHoldUps(group, test.revoking)
			if !reflect.DeepEqual(group.HeldUpBy, test.want) {
				t.Errorf("got %+v, want %+v", group.HeldUpBy, test.want)
			}
		})
	}
	classic := &Group{Group: "g", Type: ptr(typeClassic), Members: []Member{{ID: "a"}}}
	if addHoldUps(classic, nil); classic.HeldUpBy != nil {
		t.Errorf("a classic group: %+v", classic.HeldUpBy)
	}
}
