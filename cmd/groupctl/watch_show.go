package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// groupsShown is how many groups of a snapshot get a line each.
const groupsShown = 20

// clockSetBack is the step back from which on the clock was set, and not an answer late.
const clockSetBack = 5 * time.Second

// eventLines prints events as text.
type eventLines struct {
	out io.Writer
	// last is the time of the last line. What one broker answered may be told after what
	// another answered a moment later; to people times go forwards. A longer step back is
	// one of the clock itself.
	last time.Time
}

// write prints one event; a snapshot may take several lines.
func (l *eventLines) write(event watch.Event) error {
	if event.At.After(l.last) || l.last.Sub(event.At) >= clockSetBack {
		l.last = event.At
	}
	var text strings.Builder
	for _, line := range watchLines(event) {
		fmt.Fprintf(&text, "%s  %-11s  %s\n", clock(l.last, ".0"), line.kind, line.text)
	}
	_, err := io.WriteString(l.out, text.String())
	return err
}

type watchLine struct{ kind, text string }

func watchLines(e watch.Event) []watchLine {
	one := func(format string, args ...any) []watchLine {
		return []watchLine{{string(e.Kind), fmt.Sprintf(format, args...)}}
	}
	switch e.Kind {
	case watch.KindSnapshot:
		return snapshotLines(e.Snapshot)
	case watch.KindBroker:
		switch b := e.Broker; {
		case b.WasAt != "":
			return one("%d is up at %s, and was at %s", b.Node, printable(b.Address), printable(b.WasAt))
		case b.Up:
			return one("%d is up", b.Node)
		}
		return one("%d is gone", e.Broker.Node)
	case watch.KindController:
		c := e.Controller
		return one("%s → %s%s", nodeOr(c.From), nodeOr(c.To), epochs(c.FromEpoch, c.ToEpoch))
	case watch.KindLeader:
		l := e.Leader
		return one("%s: %s → %s%s, %s", partitionName(l.Topic, l.Partition), nodeOr(l.From), nodeOr(l.To), epochs(l.FromEpoch, l.ToEpoch), because(l.Cause, l.Evidence))
	case watch.KindISR:
		var parts []string
		if len(e.ISR.Left) > 0 {
			parts = append(parts, numbers(e.ISR.Left)+" left")
		}
		if len(e.ISR.Joined) > 0 {
			parts = append(parts, numbers(e.ISR.Joined)+" joined")
		}
		if e.ISR.WereReplicas != nil {
			parts = append(parts, "the replicas were "+numbers(e.ISR.WereReplicas))
		}
		return one("%s: %s; in sync are %s of %s", partitionName(e.ISR.Topic, e.ISR.Partition), strings.Join(parts, ", "), numbers(e.ISR.ISR), numbers(e.ISR.Replicas))
	case watch.KindTopic:
		return one("%s", topicText(e.Topic))
	case watch.KindCoordinator:
		c := e.Coordinator
		return one("%s: %s → %s, as the leader of __consumer_offsets-%d, %s", name(c.Group), nodeOr(c.From), nodeOr(c.To), c.Partition, because(c.Cause, c.Evidence))
	case watch.KindGroup:
		return one("%s", groupText(e.Group))
	case watch.KindGeneration:
		return one("%s", rebalanceText(e.Generation))
	case watch.KindLag:
		return one("%s", lagText(e.Lag))
	case watch.KindSight:
		return one("%s", sightText(e.Sight))
	}
	return one("%+v", e)
}

func snapshotLines(s *watch.Snapshot) []watchLine {
	var lines []watchLine
	add := func(kind, format string, args ...any) {
		lines = append(lines, watchLine{kind, fmt.Sprintf(format, args...)})
	}
	if s.Brokers != nil {
		offline, behind := 0, 0
		for _, p := range s.Partitions {
			switch {
			case p.Leader == nil:
				offline++
			case p.Degraded():
				behind++
			}
		}
		add("brokers", "%s are up", numbers(s.Brokers))
		text := fmt.Sprintf("%s: all have a leader and all replicas in sync", counted(len(s.Partitions), "partition"))
		switch {
		case len(s.Partitions) == 0:
			text = "none"
		case offline+behind > 0:
			text = fmt.Sprintf("%s: %d without a leader, %d with replicas out of sync", counted(len(s.Partitions), "partition"), offline, behind)
		}
		add("partitions", "%s", text)
		for _, absent := range s.AbsentTopics {
			add("topic", "%s: does not exist, or may not be seen", name(absent))
		}
	}
	if s.Controller != nil {
		add("controller", "%s, epoch %d", nodeOr(s.Controller.Node), s.Controller.Epoch)
	}
	for i, g := range s.Groups {
		if i == groupsShown {
			add("group", "and %d more", len(s.Groups)-groupsShown)
			break
		}
		assignor := ""
		if g.Assignor != nil && len(g.Members) > 0 {
			assignor = ", " + name(*g.Assignor)
		}
		if g.Elected != nil {
			assignor = ", " + electedText(g.Elected, shortName)
		}
		add("group", "%s: %s, %s, %s%s", name(g.Group), g.Type, printable(g.State), counted(len(g.Members), "member"), assignor)
	}
	for _, absent := range s.Absent {
		add("group", "%s: does not exist", name(absent))
	}
	return lines
}

func topicText(t *watch.TopicChange) string {
	switch {
	case t.To == nil:
		return name(t.Topic) + ": is gone"
	case t.From == nil:
		return fmt.Sprintf("%s: appeared, %s", name(t.Topic), counted(*t.To, "partition"))
	case t.Anew:
		return fmt.Sprintf("%s: was deleted and created again, %s", name(t.Topic), counted(*t.To, "partition"))
	}
	return fmt.Sprintf("%s: %d → %s", name(t.Topic), *t.From, counted(*t.To, "partition"))
}

func groupText(g *watch.GroupChange) string {
	members := ""
	if g.Members != nil {
		members = ", " + counted(*g.Members, "member")
	}
	switch {
	case g.From == nil:
		return fmt.Sprintf("%s: appeared, %s, %s%s", name(g.Group), nameOr(g.ToType), nameOr(g.To), members)
	case g.To == nil:
		return fmt.Sprintf("%s: is gone", name(g.Group))
	case g.FromType != nil && g.ToType != nil && *g.FromType != *g.ToType:
		return fmt.Sprintf("%s: %s → %s, %s%s", name(g.Group), name(*g.FromType), name(*g.ToType), nameOr(g.To), members)
	}
	return fmt.Sprintf("%s: %s → %s%s", name(g.Group), nameOr(g.From), nameOr(g.To), members)
}

func rebalanceText(g *watch.GenerationChange) string {
	generation := "rebalanced, generation ?"
	switch {
	case g.To != nil && g.From != nil:
		generation = fmt.Sprintf("generation %d → %d", *g.From, *g.To)
	case g.To != nil:
		generation = fmt.Sprintf("generation %d", *g.To)
	}
	if g.Unseen != nil && *g.Unseen > 0 {
		generation += fmt.Sprintf(" (%d not seen)", *g.Unseen)
	}
	parts := []string{generation}
	parts = append(parts, "not stable for "+span(g.NotStable))
	for _, m := range g.Joined {
		parts = append(parts, "+"+whoText(m))
	}
	for _, m := range g.Left {
		parts = append(parts, "-"+whoText(m))
	}
	parts = append(parts, counted(g.Members, "member"))
	switch {
	case g.ToElected != nil:
		parts = append(parts, verdictText(g.FromElected, g.ToElected, shortName))
	case g.ToLeader == nil && g.Source == watch.SourcePoll:
	case g.FromLeader != nil && g.ToLeader != nil && *g.FromLeader == *g.ToLeader:
		parts = append(parts, "led as before")
	case g.ToLeader != nil:
		parts = append(parts, "led by "+shortName(*g.ToLeader))
	}
	if g.Moved != nil {
		parts = append(parts, counted(*g.Moved, "partition")+" moved")
	}
	return name(g.Group) + ": " + strings.Join(parts, ", ")
}

func shortName(id string) string { return name(shortID(id)) }

// whoText is enough of a member to know it by: its instance, or its client and the
// beginning of its id, and where it is.
func whoText(m watch.MemberRef) string {
	who := name(shortID(m.ID))
	switch {
	case m.Instance != nil:
		who = name(*m.Instance)
	case m.ClientID != "" && !strings.HasPrefix(m.ID, m.ClientID):
		who = name(m.ClientID) + "/" + who
	}
	return who + "@" + printable(strings.TrimPrefix(m.Host, "/"))
}

func lagText(l *watch.LagChange) string {
	owner := ""
	if l.Owner != nil {
		owner = ", owner " + whoText(*l.Owner)
	}
	where := fmt.Sprintf("%s: %s", name(l.Group), partitionName(l.Topic, l.Partition))
	if !l.Stalled {
		return fmt.Sprintf("%s goes on after %v, %s behind%s", where, l.For, counted(int(l.Lag), "record"), owner)
	}
	return fmt.Sprintf("%s stands at %d for %v, %s behind%s", where, l.Committed, l.For, counted(int(l.Lag), "record"), owner)
}

func sightText(s *watch.SightChange) string {
	what := printable(s.Part)
	if s.Node != nil {
		what += fmt.Sprintf(" of broker %d", *s.Node)
	}
	if !s.Lost {
		return fmt.Sprintf("%s can be looked at again, after %v", what, s.For.Duration().Round(100*time.Millisecond))
	}
	return fmt.Sprintf("%s cannot be looked at: %s", what, printable(s.Message))
}

func because(cause watch.Cause, evidence []string) string {
	text := strings.ReplaceAll(string(cause), "-", " ")
	if cause == watch.CauseUnknown {
		text = "cause unknown"
	}
	if len(evidence) > 0 {
		text += ": " + printable(strings.Join(evidence, "; "))
	}
	return text
}

func epochs(from, to *int32) string {
	if from == nil || to == nil {
		return ""
	}
	return fmt.Sprintf(", epoch %d → %d", *from, *to)
}

func nodeOr(node *int32) string {
	if node == nil {
		return "none"
	}
	return strconv.Itoa(int(*node))
}

func partitionName(topic string, partition int32) string {
	return name(topic) + "-" + strconv.Itoa(int(partition))
}

func span(s watch.Span) string {
	least, most := s.AtLeast.Duration().Round(100*time.Millisecond), s.AtMost.Duration().Round(100*time.Millisecond)
	switch {
	case least == most:
		return fmt.Sprint(most)
	case least <= 0:
		return fmt.Sprintf("at most %v", most)
	}
	return fmt.Sprintf("%v to %v", least, most)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
