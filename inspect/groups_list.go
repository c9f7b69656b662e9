package inspect

import (
	"context"
	"errors"
	"fmt"
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

func (in *Inspector) listGroups(ctx context.Context) listing {
	all := listing{groups: map[string]listedGroup{}}
	for _, shard := range in.client.RequestSharded(ctx, kmsg.NewPtrListGroupsRequest()) {
		resp, ok := shard.Resp.(*kmsg.ListGroupsResponse)
		err := shard.Err
		switch {
		case err != nil:
		case !ok:
			err = errors.New("the answer is of another kind")
		default:
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			target, who := clusterTarget, "the groups"
			if shard.Meta.NodeID >= 0 {
				target = fmt.Sprintf("broker %d", shard.Meta.NodeID)
				who = "the groups of " + target
			}
			all.problems = append(all.problems, problemFrom(err, target, "list "+who, "DESCRIBE on the cluster or on each group"))
			continue
		}
		all.answered++
		for _, g := range resp.Groups {
			// The coordinator that a group just left may still list it. Either
			// is as good: describing goes to whoever coordinates it by then.
			all.groups[g.Group] = listedGroup{
				groupType:    typeOf(resp.Version, g.GroupType),
				state:        g.GroupState,
				protocolType: g.ProtocolType,
				coordinator:  shard.Meta.NodeID,
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
