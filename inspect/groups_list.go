package inspect

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

// coordinators returns who listed the groups, which is whom to ask for them first.
func (l listing) coordinators(groups []string) map[string]int32 {
	at := make(map[string]int32, len(groups))
	for _, group := range groups {
		at[group] = l.groups[group].coordinator
	}
	return at
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
// next to each other. Where groups are wanted by name, it is done when all of
// them have turned up, and does not wait for the other brokers.
func (in *Inspector) listGroups(ctx context.Context, brokers []kmsg.MetadataResponseBroker, wanted []string) listing {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		broker int32
		resp   *kmsg.ListGroupsResponse
		err    error
	}
	results := make(chan result, len(brokers))
	slots := make(chan struct{}, brokersAtOnce)
	for _, broker := range brokers {
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			resp, err := oneBroker[*kmsg.ListGroupsResponse](ctx, in, broker.NodeID, kmsg.NewPtrListGroupsRequest())
			if err == nil {
				err = kerr.ErrorForCode(resp.ErrorCode)
			}
			results <- result{broker.NodeID, resp, err}
		}()
	}

	all := listing{groups: map[string]listedGroup{}}
	missing := make(map[string]bool, len(wanted))
	for _, group := range wanted {
		missing[group] = true
	}
	enough := false
	for range brokers {
		r := <-results
		switch {
		case enough: // what came of the requests that were canceled
		case r.err != nil:
			target := fmt.Sprintf("broker %d", r.broker)
			all.problems = append(all.problems, problemFrom(r.err, target, "list the groups of "+target, "DESCRIBE on the cluster or on each group"))
		default:
			all.answered++
			for _, g := range r.resp.Groups {
				// The coordinator that a group just left may still list it.
				// Either is as good: describing goes to whoever coordinates it
				// by then.
				all.groups[g.Group] = listedGroup{
					groupType:    typeOf(r.resp.Version, g.GroupType),
					state:        g.GroupState,
					protocolType: g.ProtocolType,
					coordinator:  r.broker,
				}
				delete(missing, g.Group)
			}
			if len(wanted) > 0 && len(missing) == 0 {
				enough = true
				cancel()
			}
		}
	}
	slices.SortFunc(all.problems, func(a, b Problem) int { return strings.Compare(a.Target, b.Target) })
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
