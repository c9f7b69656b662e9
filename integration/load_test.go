package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// TestALoadThatStaysUnevenBringsANewPlan: the group itself does not change.
func TestALoadThatStaysUnevenBringsANewPlan(t *testing.T) {
	const partitions = 4
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	var heavy atomic.Pointer[[]int32]
	heavy.Store(new([]int32))
	cfg := member.HooksConfig{
		Weights: func(context.Context, []assign.Topic) (map[string][]float64, error) {
			weights := []float64{1, 1, 1, 1}
			for _, p := range *heavy.Load() {
				weights[p] = 10
			}
			return map[string][]float64{topic: weights}, nil
		},
		ReplanOnLoad:   member.LoadPolicy{Every: 200 * time.Millisecond, Looks: 2},
		ReplanInterval: time.Second,
	}
	leader := startHooked(t, c, group, []string{topic}, cfg)
	leader.leads(t)
	other := startHooked(t, c, group, []string{topic}, cfg)
	share(t, topic, partitions, leader, other)
	both := slices.Clone(other.has(topic))
	heavy.Store(&both) // all of the load is the other's by now
	eventually(t, "each has one of the heavy partitions", func() (bool, string) {
		mine, its := leader.has(topic), other.has(topic)
		return len(mine) == 2 && len(its) == 2 && slices.Contains(its, both[0]) != slices.Contains(its, both[1]), fmt.Sprint(both, mine, its)
	})
	share(t, topic, partitions, leader, other)
	if planned := leader.all(member.EventPlanned); !slices.ContainsFunc(planned, func(e member.Event) bool {
		return strings.Contains(e.Reason, "forced: the most loaded member has")
	}) {
		t.Errorf("no round tells of the load: %v", leader.last(member.EventPlanned).Reason)
	}
}
