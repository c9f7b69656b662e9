package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/cmd/groupctl/internal/planview"
)

// barCells is how wide the longest bar is.
const barCells = 20

// mostMoves is how many moved partitions are listed for people.
const mostMoves = 40

func planTables(t *table, p *livePlan) {
	partitions := 0
	for i := range p.current.Topics {
		partitions += int(p.current.Topics[i].Partitions)
	}
	t.row("GROUP", "TYPE", "STATE", "ASSIGNOR", "GENERATION", "MEMBERS", "TOPICS", "PARTITIONS", "WEIGHT")
	t.row(name(p.ID), nameOr(p.group.Type), nameOr(p.group.State), nameOr(p.group.Assignor), number(p.group.Generation),
		strconv.Itoa(len(p.current.Members)), strconv.Itoa(len(p.current.Topics)), strconv.Itoa(partitions), p.unit())
	t.gap()

	header := []string{"PLAN", "COUNT-SPREAD", "TOPIC-SPREAD", "MAX-LOAD", "LEAST-POSSIBLE", "MOVED", "MOVED-WEIGHT", "RACK-LOCAL", "UNMET", "TOOK"}
	if p.settled {
		header = append(header, "ROUNDS")
	}
	t.row(header...)
	row := func(title string, s assign.Stats, more ...string) {
		t.row(append([]string{title, strconv.Itoa(s.CountSpread), strconv.Itoa(s.TopicSpread), planview.Number(s.MaxLoad), planview.Number(s.LowerBound),
			strconv.Itoa(s.MovedPartitions), planview.Number(s.MovedWeight), strconv.Itoa(s.RackLocal)}, more...)...)
	}
	now := []string{unknown, unknown}
	if p.settled {
		now = append(now, unknown)
	}
	row("now", assign.Measure(p.current, assign.Plan{Assignment: p.Before}), now...)
	for _, assignor := range p.names() {
		o := p.Results[assignor]
		more := []string{strconv.Itoa(len(o.Unmet)), time.Duration(o.Stats.ElapsedNs).Round(time.Microsecond).String()}
		if p.settled {
			more = append(more, strconv.Itoa(o.Rounds))
		}
		row(assignor, o.Stats.Stats, more...)
	}
	for _, assignor := range p.names() {
		t.gap()
		p.members(t, assignor)
		p.moves(t, assignor)
	}
}

// names are the assignors as asked, each once.
func (p *livePlan) names() []string {
	var names []string
	for _, n := range p.assignors {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

func (p *livePlan) unit() string {
	if p.weighed {
		return "records of lag"
	}
	return "partitions"
}

// column is a member in either state of the group.
type column struct {
	assign.Member
	joins, leaves bool
}

// columns are the members now, and then those that join.
func (p *livePlan) columns() []column {
	left := make(map[string]bool)
	for _, m := range p.current.Members {
		left[m.ID] = true
	}
	var all []column
	for _, m := range p.Problem.Group.Members {
		c := column{Member: m, joins: !left[m.ID]}
		delete(left, m.ID)
		all = append(all, c)
	}
	for _, m := range p.current.Members {
		if left[m.ID] {
			all = append(all, column{Member: m, leaves: true})
		}
	}
	slices.SortStableFunc(all, func(l, r column) int {
		if l.joins != r.joins {
			if r.joins {
				return -1
			}
			return 1
		}
		return cmp.Compare(cmp.Or(l.Instance, l.ID), cmp.Or(r.Instance, r.ID))
	})
	return all
}

// note says what is special about a member, and its rack and capacity.
func (c column) note() string {
	var notes []string
	switch {
	case c.joins:
		notes = append(notes, "joins")
	case c.leaves:
		notes = append(notes, "leaves")
	}
	if c.Draining {
		notes = append(notes, "draining")
	}
	if c.Capacity != 0 && c.Capacity != 1 {
		notes = append(notes, "capacity "+planview.Number(c.Capacity))
	}
	if c.MaxPartitions != 0 {
		notes = append(notes, fmt.Sprintf("at most %d partitions", c.MaxPartitions))
	}
	if c.MaxWeight != 0 {
		notes = append(notes, "at most "+planview.Number(c.MaxWeight)+" in weight")
	}
	if c.Rack != "" {
		notes = append(notes, "rack "+name(c.Rack))
	}
	return strings.Join(notes, ", ")
}

func carried(weights map[string][]float64, list []assign.TopicPartitions) float64 {
	sum := 0.0
	for _, tp := range list {
		for _, p := range tp.Partitions {
			if w := weights[tp.Topic]; int(p) < len(w) {
				sum += w[p]
			}
		}
	}
	return sum
}

func (p *livePlan) members(t *table, assignor string) {
	after := p.Results[assignor].Assignment
	weights := planview.Weights(p.current)
	columns := p.columns()
	most := 0.0
	for _, c := range columns {
		most = max(most, carried(weights, p.Before[c.ID]), carried(weights, after[c.ID]))
	}
	cells := func(a assign.Assignment, c column) (bar, text string) {
		load := carried(weights, a[c.ID])
		bar = planview.Bar(load, most, barCells)
		text = planview.Number(load)
		if p.weighed {
			text += fmt.Sprintf(" in %d", a.Count(c.ID))
		}
		return bar + strings.Repeat("·", barCells-len([]rune(bar))), text
	}
	shown := p.shown(t)
	t.row("MEMBER", "", "BEFORE", "", "AFTER "+strings.ToUpper(assignor), "")
	for _, c := range columns {
		title := shown[c.ID]
		before, had := cells(p.Before, c)
		now, has := cells(after, c)
		if c.joins {
			before, had = "", unknown
		}
		if c.leaves {
			now, has = "", unknown
		}
		t.row(title, had, before, has, now, c.note())
	}
}

// shown is how a table shows each member: by its instance, or the beginning of its id.
func (p *livePlan) shown(t *table) map[string]string {
	columns := p.columns()
	who := name
	if !t.wide {
		ids := make([]string, len(columns))
		for i, c := range columns {
			ids[i] = c.ID
		}
		who = shortIDs(ids)
	}
	shown := map[string]string{"": unknown}
	for _, c := range columns {
		shown[c.ID] = who(c.ID)
		if c.Instance != "" {
			shown[c.ID] = name(c.Instance)
		}
	}
	return shown
}

func (p *livePlan) moves(t *table, assignor string) {
	o := p.Results[assignor]
	moves := assign.Diff(p.Before, o.Assignment)
	names := p.shown(t)
	if len(moves) > 0 {
		t.gap()
		t.row("PARTITION", "FROM", "TO")
	}
	for i, m := range moves {
		if i == mostMoves {
			t.gap()
			t.row(fmt.Sprintf("and %d more; -o json shows all", len(moves)-mostMoves))
			break
		}
		t.row(partitionName(m.Topic, m.Partition), names[m.From], names[m.To])
	}
	if len(o.Unmet) == 0 {
		return
	}
	t.gap()
	t.row("PARTITION", "UNMET", "BECAUSE")
	for i, u := range o.Unmet {
		if i == mostMoves {
			t.gap()
			t.row(fmt.Sprintf("and %d more; -o json shows all", len(o.Unmet)-mostMoves))
			break
		}
		t.row(partitionName(u.Topic, u.Partition), string(u.Constraint), printable(u.Reason))
	}
}

// picture is the plan as a drawing: what is owned now, and a panel for each assignor.
func (p *livePlan) picture() planview.Picture {
	pic := planview.Picture{Title: "Group " + name(p.ID), Unit: p.unit()}
	partitions := 0
	for i := range p.current.Topics {
		partitions += int(p.current.Topics[i].Partitions)
		pic.Topics = append(pic.Topics, p.current.Topics[i].Name)
	}
	pic.Subtitle = fmt.Sprintf("%d partitions of %d topics, weighed by %s", partitions, len(p.current.Topics), p.unit())
	if !p.weighed {
		pic.Subtitle = fmt.Sprintf("%d partitions of %d topics, all of one weight", partitions, len(p.current.Topics))
	}
	slices.Sort(pic.Topics)
	for _, c := range p.columns() {
		pic.Members = append(pic.Members, planview.Member{
			ID: c.ID, Name: planview.Short(name(cmp.Or(c.Instance, c.ID)), 16), Note: c.note(),
			Capacity: c.EffectiveCapacity(), Joins: c.joins, Leaves: c.leaves,
		})
	}
	note := func(s assign.Stats) string {
		return fmt.Sprintf("highest load %s, least possible %s", planview.Number(s.MaxLoad), planview.Number(s.LowerBound))
	}
	var all [][]assign.Move
	for _, assignor := range p.names() {
		all = append(all, assign.Diff(p.Before, p.Results[assignor].Assignment))
	}
	pic.Before("Before", note(assign.Measure(p.current, assign.Plan{Assignment: p.Before})), p.current, p.Before, all...)
	for i, assignor := range p.names() {
		o := p.Results[assignor]
		title := fmt.Sprintf("After %s: %s", assignor, movesInWords(all[i], o.Stats.MovedPartitions))
		pic.After(title, note(o.Stats.Stats), p.Problem.Group, o.Assignment, all[i])
	}
	return pic
}

// movesInWords tells how many partitions move between members that stay, and how many
// are taken over from those that leave.
func movesInWords(moves []assign.Move, moved int) string {
	owned := 0
	for _, m := range moves {
		if m.From != "" {
			owned++
		}
	}
	count := func(n int, one, many string) string {
		if n == 1 {
			return "1 partition " + one
		}
		return fmt.Sprintf("%d partitions %s", n, many)
	}
	var parts []string
	if moved > 0 {
		parts = append(parts, count(moved, "moves", "move"))
	}
	if owned > moved {
		parts = append(parts, count(owned-moved, "is taken over", "are taken over"))
	}
	if len(parts) == 0 {
		return "nothing moves"
	}
	return strings.Join(parts, ", ")
}
