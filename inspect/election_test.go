package inspect

import "testing"

// The coordinator's leader of an election only counts the votes.
func TestTheLeaderOfAnElectionIsNotTheCoordinators(t *testing.T) {
	for protocolType, leads := range map[string]bool{protocolConsumer: true, protocolElection: false} {
		id := "a"
		group := &Group{Group: "g", ProtocolType: &protocolType, Members: []Member{{ID: id}}}
		problems := applyRecord(group, groupRecord{generation: 3, leader: &id, since: -1})
		if (group.Leader != nil) != leads || (len(problems) == 0) != leads || group.Generation == nil {
			t.Errorf("%s: %+v, %+v", protocolType, group, problems)
		}
	}
}
