package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// pointToPoint starts a second group while records are still being written, then
// ends the traffic and counts who handled what in the first group.
func (p *play) pointToPoint(ctx context.Context) (string, error) {
	if _, err := p.audit.start(p.playing, "zoe", nil); err != nil {
		return "", err
	}
	err := await(ctx, func() string {
		if p.audit.ledger.count() == 0 {
			return "the second group did not get a record while records were written"
		}
		return ""
	})
	if err != nil {
		return "", err
	}
	if err := p.traffic.stop(); err != nil {
		return "", err
	}
	t, err := p.tally(ctx, p.billing)
	if err != nil {
		return "", err
	}
	p.voice.say("%d records were written; %s shared them:", t.records, p.billing.name)
	p.voice.say("%s", byMember(t))
	p.voice.say("handled once: %d, more than once: %d, never: %d", t.once, t.again, t.missed)
	for _, names := range slices.Sorted(maps.Keys(t.repeats)) {
		p.voice.say("%d by %s: not committed when the next one took over", t.repeats[names], names)
	}
	p.voice.aside("each record goes to one member of the group. The promise is: at least once.")
	p.voice.aside("What a member handled and did not commit before it died is handled again")
	return fmt.Sprintf("%s handled all %d records, %d of them exactly once", p.billing.name, t.records, t.once), nil
}

// publishSubscribe shows that the second group got everything too.
func (p *play) publishSubscribe(ctx context.Context) (string, error) {
	coordinator, err := p.coordinatorOf(ctx, p.stage.audit)
	if err != nil {
		return "", err
	}
	if _, err := p.audit.settled(ctx, "zoe"); err != nil {
		return "", err
	}
	t, err := p.tally(ctx, p.audit)
	if err != nil {
		return "", err
	}
	p.voice.say("%s has a coordinator of its own (broker %d), a leader of its own (zoe)", p.audit.name, *coordinator.Leader)
	p.voice.say("and offsets of its own: it began at the first record")
	p.voice.say("handled once: %d, more than once: %d, never: %d", t.once, t.again, t.missed)
	p.voice.aside("members of one group share the records; every group gets all of them")
	return fmt.Sprintf("all %d records went to %s as well", t.records, p.audit.name), nil
}

// tally waits until the group missed no record.
func (p *play) tally(ctx context.Context, c *company) (tally, error) {
	counts, err := recordCounts(ctx, p.stage.admin, p.stage.topic)
	if err != nil {
		return tally{}, err
	}
	var t tally
	err = await(ctx, func() string {
		if t = c.ledger.tally(counts); t.missed > 0 {
			return fmt.Sprintf("%d of %d records were not handled by %s", t.missed, t.records, c.name)
		}
		return ""
	})
	if written := p.traffic.written.Load(); err == nil && t.records != written {
		err = fmt.Errorf("%d records were written, and the topic has %d", written, t.records)
	}
	return t, err
}

func byMember(t tally) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(t.byMember)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, t.byMember[name]))
	}
	return strings.Join(parts, ", ")
}
