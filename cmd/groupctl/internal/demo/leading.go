package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/groupkit/groupkit/assign"
)

// firstLeader lets one member join an empty group.
func (p *play) firstLeader(ctx context.Context) (string, error) {
	if _, err := p.billing.start(p.playing, "ann", nil); err != nil {
		return "", err
	}
	var err error
	if p.before, err = p.billing.settled(ctx, "ann"); err != nil {
		return "", err
	}
	p.voice.aside("nobody votes: the coordinator names the first member to join, and that one")
	p.voice.aside("leads for as long as it stays. Each round of planning is a generation")
	return "ann leads, and has all partitions for as long as nobody else is there", nil
}

// planning lets two more members join, and shows what the leader makes of it.
func (p *play) planning(ctx context.Context) (string, error) {
	names := []string{"ann", "bob", "cid"}
	p.voice.aside("cid says in its metadata that it has a fast disk: label %s=%s", labelDisk, fastDisk)
	p.voice.aside("a partition that moves is given up in one round and given out in the next")
	if _, err := p.billing.start(p.playing, "bob", nil); err != nil {
		return "", err
	}
	// Whoever has the fast disk comes last: until then the hot partition is with
	// somebody else, and the hook has something to change.
	if err := await(ctx, func() string { return p.billing.absent("bob") }); err != nil {
		return "", err
	}
	if _, err := p.billing.start(p.playing, "cid", map[string]string{labelDisk: fastDisk}); err != nil {
		return "", err
	}
	now, err := p.billing.settled(ctx, names...)
	if err != nil {
		return "", err
	}
	first, ok := p.billing.decision(names, now.has)
	switch {
	case !ok:
		return "", errors.New("what the members have is not what a hook returned")
	case first.by != "ann" || now.leader != "ann":
		return "", fmt.Errorf("%s planned and %s leads, though ann came first", first.by, now.leader)
	}
	standard, err := assign.RoundRobin().Assign(first.round.Problem)
	if err != nil {
		return "", err
	}
	counting := sharesOf(first.round, standard)
	p.voice.compare(names, first.weights,
		column{"round robin", counting}, column{assignorName, first.proposed}, column{"after the hook", first.sent})
	p.voice.aside("round robin counts partitions; %s looks at their records, which", assignorName)
	p.voice.aside("the leader measured: %s. The hook then swaps the hot partition to", weightList(first.weights))
	p.voice.aside("where the fast disk is")
	switch {
	case counting.equal(first.proposed, names):
		return "", fmt.Errorf("%s planned what round robin would have", assignorName)
	case first.proposed.equal(first.sent, names):
		return "", fmt.Errorf("the hook changed nothing of what %s proposed", assignorName)
	case !slices.Contains(first.sent["cid"], hotPartition):
		return "", fmt.Errorf("the hot partition went to another member than cid")
	}
	return fmt.Sprintf("%s wanted partition %d with %s, and the hook sent it to cid",
		assignorName, hotPartition, first.proposed.owner(hotPartition)), nil
}

// adoption shows the same from the other side: what every member was told.
func (p *play) adoption(ctx context.Context) (string, error) {
	names := []string{"ann", "bob", "cid"}
	now, err := p.billing.settled(ctx, names...)
	if err != nil {
		return "", err
	}
	p.before = now
	p.voice.table(names, now.has, p.weights(), map[string]string{now.leader: "group leader", "cid": "fast disk"})
	return "each partition is with one member, and the coordinator says the same", nil
}

// idleness lets more members join than there are partitions.
func (p *play) idleness(ctx context.Context) (string, error) {
	names := []string{"ann", "bob", "cid", "dan", "eve"}
	for _, name := range names[3:] {
		if _, err := p.billing.start(p.playing, name, nil); err != nil {
			return "", err
		}
	}
	now, err := p.billing.settled(ctx, names...)
	if err != nil {
		return "", err
	}
	p.before = now
	var idle []string
	notes := map[string]string{now.leader: "group leader"}
	for _, name := range names {
		if len(now.has[name]) == 0 {
			idle = append(idle, name)
			notes[name] = "idle"
		}
	}
	p.voice.table(names, now.has, p.weights(), notes)
	p.voice.aside("a partition has one member of a group at a time, so there is no work for a")
	p.voice.aside("fifth; but it is in the group, and ready to take over")
	if len(idle) != 1 {
		return "", fmt.Errorf("%d members are idle (%s), and not one", len(idle), strings.Join(idle, ", "))
	}
	return fmt.Sprintf("%d members, %d partitions: %s is idle", len(names), partitionCount, idle[0]), nil
}

// weights are the latest that a leader measured.
func (p *play) weights() []float64 {
	p.billing.mu.Lock()
	defer p.billing.mu.Unlock()
	return p.billing.decisions[len(p.billing.decisions)-1].weights
}

// decision returns the first for exactly the members named that aimed at what they
// have now. Where partitions move there is a second one, which only completes it.
func (c *company) decision(names []string, has shares) (decision, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.decisions {
		if slices.Equal(d.names, names) && d.sent.equal(has, names) {
			return d, true
		}
	}
	return decision{}, false
}

func weightList(weights []float64) string {
	texts := make([]string, len(weights))
	for i, w := range weights {
		texts[i] = fmt.Sprint(w)
	}
	return strings.Join(texts, " : ")
}
