package inspect

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// listing is what the brokers list, each of the groups that it coordinates.
type listing struct {
	groups   map[string]listedGroup
	answered int       // brokers
	problems []Problem // one for each broker that did not answer
}

type listedGroup struct {
	groupType, state, protocolType string
	coordinator                    int32
}

// row is what is known of a group that is only listed.
func (l listedGroup) row(name string) *Group {
	return &Group{
		Group:        name,
		Type:         nonEmpty(l.groupType),
		State:        nonEmpty(l.state),
		ProtocolType: nonEmpty(l.protocolType),
		Coordinator:  known(l.coordinator),
	}
}

// listGroups asks each broker for the groups that it coordinates, all brokers
// next to each other.
func (in *Inspector) listGroups(ctx context.Context, brokers []kmsg.MetadataResponseBroker) listing {
	responses := make([]*kmsg.ListGroupsResponse, len(brokers))
	errs := make([]error, len(brokers))
	slots := make(chan struct{}, brokersAtOnce)
	var asking sync.WaitGroup
	for i, broker := range brokers {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			responses[i], errs[i] = oneBroker[*kmsg.ListGroupsResponse](ctx, in, broker.NodeID, kmsg.NewPtrListGroupsRequest())
			if errs[i] == nil {
				errs[i] = kerr.ErrorForCode(responses[i].ErrorCode)
			}
		})
	}
	asking.Wait()

	all := listing{groups: map[string]listedGroup{}}
	for i, broker := range brokers {
		if errs[i] != nil {
			target := fmt.Sprintf("broker %d", broker.NodeID)
			all.problems = append(all.problems, problemFrom(errs[i], target, "list the groups of "+target, "DESCRIBE on the cluster or on each group"))
			continue
		}
		all.answered++
		for _, g := range responses[i].Groups {
			// The coordinator that a group just left may still list it. Either
			// is as good: describing goes to whoever coordinates it by then.
			all.groups[g.Group] = listedGroup{
				groupType:    typeOf(responses[i].Version, g.GroupType),
				state:        g.GroupState,
				protocolType: g.ProtocolType,
				coordinator:  broker.NodeID,
			}
		}
	}
	return all
}

// typeOf reads the type, which is told since v5 of the answer (Kafka 3.8). The
// brokers write it in one case or another.
func typeOf(version int16, groupType string) string {
	if version < 5 || groupType == "" {
		return typeClassic
	}
	return strings.ToLower(groupType)
}
