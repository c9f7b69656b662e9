package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/groupkit/groupkit/member"
)

// takeover cuts the leader off and watches the group go on without it.
func (p *play) takeover(ctx context.Context) (string, error) {
	victim := p.billing.cast(p.before.leader)[0]
	var survivors []string
	for name := range p.before.has {
		if name != victim.name {
			survivors = append(survivors, name)
		}
	}
	slices.Sort(survivors)

	p.billing.hush(true)
	cut := p.billing.kill(victim)
	p.voice.event(victim.name, "is cut off: connections closed, no new ones, no LeaveGroup")
	p.voice.aside("the coordinator waits %s for its heartbeat, and then gives %s up", p.stage.session, victim.name)
	settling := p.nameOneLeader(ctx, survivors)
	now, err := p.billing.settled(ctx, survivors...)
	settling()
	p.billing.hush(false)
	if err != nil {
		return "", err
	}

	resigned, began, why := p.billing.handover(victim, survivors)
	_, generation := p.billing.cast(now.leader)[0].member.Client().GroupMetadata()
	p.voice.event(now.leader, "leads, as of generation %d", generation)
	notes := map[string]string{now.leader: "group leader"}
	var heirs []string
	for _, name := range survivors {
		if gained := without(now.has[name], p.before.has[name]); len(gained) > 0 {
			heirs = append(heirs, fmt.Sprintf("%s from %s to %s", owned(gained), p.previousOwners(gained), name))
		}
	}
	p.voice.table(survivors, now.has, p.weights(), notes)
	switch {
	case resigned.IsZero():
		return "", fmt.Errorf("%s does not know that it leads no more", victim.name)
	case !resigned.Before(began):
		return "", fmt.Errorf("%s gave up leading %s after its successor began", victim.name, resigned.Sub(began).Round(time.Millisecond))
	}
	p.voice.aside("the leader was gone, so the coordinator named one of those who joined again.")
	p.voice.aside("%s stopped by itself after %.1fs, as %s, and %.1fs before", victim.name, resigned.Sub(cut).Seconds(), reason(why), began.Sub(resigned).Seconds())
	p.voice.aside("anyone else began: it never led beside its successor")
	p.before = now
	return fmt.Sprintf("%s leads after %s; %s", now.leader, victim.name, strings.Join(heirs, ", ")), nil
}

// handover returns when the old leader resigned, when the first of the others began
// to lead, and why the old one resigned.
func (c *company) handover(old *actor, names []string) (resigned, began time.Time, why error) {
	actors := c.cast(names...)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range actors {
		if !a.began.IsZero() && (began.IsZero() || a.began.Before(began)) {
			began = a.began
		}
	}
	return old.resigned, began, old.why
}

func (p *play) previousOwners(partitions []int32) string {
	var names []string
	for _, partition := range partitions {
		names = append(names, p.before.has.owner(partition))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " and ")
}

func reason(err error) string {
	switch {
	case errors.Is(err, member.ErrLeaseExpired):
		return "its lease ran out"
	case errors.Is(err, errCut):
		return "no heartbeat got out"
	}
	return fmt.Sprint(err)
}

// without returns what is in a and not in b.
func without(a, b []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(a), func(p int32) bool { return slices.Contains(b, p) })
}

// kill cuts the member's connections and returns when that was.
func (c *company) kill(a *actor) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead[a.name] = true
	a.wire.cut()
	return time.Now()
}

// hush keeps who is named leader, and who plans, from being told.
func (c *company) hush(discreet bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.discreet = discreet
}

// nameOneLeader works around the Kafka in this process, until the returned function
// is called: when a leader is gone, it tells every member that is left that it leads,
// for one generation. Kafka tells one. Another round sets it right.
func (p *play) nameOneLeader(ctx context.Context, names []string) (stop func()) {
	if !p.stage.inProcess {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for told := false; pause(ctx, p.stage.session/5); {
			var leading []*actor
			for _, a := range p.billing.cast(names...) {
				if a.leading() {
					leading = append(leading, a)
				}
			}
			if len(leading) < 2 {
				continue
			}
			if !told {
				p.voice.aside("(kfake has told all who are left that they lead; Kafka tells one. The demo")
				p.voice.aside("asks for one more round, in which kfake names one as well)")
				told = true
			}
			for _, a := range leading {
				a.member.Client().ForceRebalance()
			}
		}
	}()
	return func() { cancel(); <-done }
}
