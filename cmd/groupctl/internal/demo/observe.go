package demo

import (
	"context"
	"fmt"
	"slices"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/member"
)

// observe takes note of a member's event and tells it, where it says something that
// the steps do not. It is the OnEvent of every member.
func (c *company) observe(a *actor, e member.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Member != "" {
		a.id = e.Member
	}
	dead := c.dead[a.name]
	switch e.Kind {
	case member.EventJoining:
		if !a.joined {
			c.voice.event(a.name, "asks the coordinator to join %s", c.name)
		}
		a.joined = true
	case member.EventElected:
		if !a.leads && !c.discreet {
			c.voice.event(a.name, "is named leader of generation %d", e.Generation)
		}
		a.leads = true
	case member.EventPlanned:
		if !c.discreet {
			c.voice.event(a.name, "plans generation %d for %s%s", e.Generation, count(e.Stats.Members, "member"), waiting(e.Plan.Withheld))
		}
	case member.EventAssigned:
		has := partitionsOf(e.Assigned, c.stage.topic)
		if (!a.told || !slices.Equal(has, a.has)) && !dead && !c.closed {
			c.voice.event(a.name, "has %s", owned(has))
		}
		a.has, a.told = has, true
		a.leads = e.Leader
	case member.EventLeading:
		a.began = e.Time
	case member.EventResigned:
		a.resigned, a.why, a.leads = e.Time, e.Err, false
	case member.EventFallback, member.EventLeadFailed, member.EventIsolated, member.EventVetoed, member.EventLost:
		if !dead && !c.closed {
			c.voice.event(a.name, "%s: %v", e.Kind, e.Err)
		}
	}
}

// plan is the OnPlan of every member: it asks the hook, and writes down what the
// assignor proposed and what the hook made of it.
func (c *company) plan(ctx context.Context, round member.Round) (assign.Plan, error) {
	d := decision{round: round, proposed: sharesOf(round, round.Proposed)}
	for i := range round.Problem.Members {
		m := &round.Problem.Members[i]
		d.names = append(d.names, m.Labels[labelName])
		if m.ID == round.Leader {
			d.by = m.Labels[labelName]
		}
	}
	slices.Sort(d.names)
	if len(round.Problem.Topics) > 0 {
		d.weights = round.Problem.Topics[0].EffectiveWeights()
	}
	sent, err := c.hook(ctx, round)
	d.sent = sharesOf(round, sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.decisions = append(c.decisions, d)
	return sent, err
}

// sharesOf puts a plan's partitions under the names that the members told.
func sharesOf(round member.Round, plan assign.Plan) shares {
	has := make(shares)
	for i := range round.Problem.Members {
		m := &round.Problem.Members[i]
		for _, tp := range plan.Assignment[m.ID] {
			has[m.Labels[labelName]] = append(has[m.Labels[labelName]], tp.Partitions...)
		}
		slices.Sort(has[m.Labels[labelName]])
	}
	return has
}

func partitionsOf(list []assign.TopicPartitions, topic string) []int32 {
	var partitions []int32
	for _, tp := range list {
		if tp.Topic == topic {
			partitions = append(partitions, tp.Partitions...)
		}
	}
	slices.Sort(partitions)
	return partitions
}

func owned(partitions []int32) string {
	switch len(partitions) {
	case 0:
		return "no partition"
	case 1:
		return "partition " + partitionList(partitions)
	}
	return "partitions " + partitionList(partitions)
}

// waiting tells of partitions that cannot be handed over in this round.
func waiting(withheld []assign.Withheld) string {
	if len(withheld) == 0 {
		return ""
	}
	var partitions []int32
	for _, w := range withheld {
		partitions = append(partitions, w.Partition)
	}
	slices.Sort(partitions)
	return fmt.Sprintf("; to be given up first: %s", partitionList(partitions))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
