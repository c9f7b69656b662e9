package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/groupkit/groupkit/inspect"
)

func memberIDs(groups []inspect.Group) []string {
	var ids []string
	for _, g := range groups {
		for _, m := range g.Members {
			ids = append(ids, m.ID)
		}
		if g.Leader != nil {
			ids = append(ids, *g.Leader)
		}
		if g.Elected != nil && g.Elected.Member != nil {
			ids = append(ids, *g.Elected.Member)
		}
	}
	return ids
}

// memberTable leaves out the columns in which no member has anything, or nothing that is
// not told elsewhere. A member has a line for each topic, and in a wide table one in all.
func memberTable(t *table, groups []inspect.Group, who func(string) string) {
	head := []string{"GROUP", "MEMBER", "LEADS", "COUNTS", "ELECTED", "CANDIDATE", "PRIORITY", "PAYLOAD", "INSTANCE", "CLIENT", "HOST", "RACK", "EPOCH", "TRAITS", "LAG", "PARTITIONS", "TOPICS", "ASSIGNED", "TARGET"}
	var rows [][]string
	leads, epochs, clients, topics, targets := false, false, false, false, false
	elections, others := false, false
	for _, g := range groups {
		elections, others = elections || isElection(g), others || !isElection(g)
		for _, m := range g.Members {
			leads = leads || !isElection(g) && m.Leader != nil && *m.Leader
			epochs = epochs || m.Epoch != nil && (g.Generation == nil || *m.Epoch != *g.Generation)
			clients = clients || !tellsClient(m)
			topics = topics || !slices.Equal(m.Topics, topicsIn(m.Assigned)) && !slices.Equal(m.Topics, topicsOfAll(g))
			targets = targets || m.Target != nil && assignment(m.Target) != assignment(m.Assigned)
		}
	}
	for _, g := range groups {
		for _, m := range g.Members {
			leader := yesNo(m.Leader)
			if isElection(g) {
				leader = unknown
			}
			about := append([]string{name(g.Group), who(m.ID), leader}, candidacyCells(t, g, m)...)
			about = append(about,
				nameOr(m.Instance), name(m.ClientID), strings.TrimPrefix(name(m.Host), "/"), nameOr(m.Rack), number(m.Epoch),
				traits(m.Traits), number(m.Lag), partitionCount(m.Assigned), names(m.Topics),
			)
			if t.wide {
				rows = append(rows, append(about, assignment(m.Assigned), assignment(m.Target)))
				continue
			}
			shownTarget := m.Target
			if !targets {
				shownTarget = nil
			}
			for _, line := range assignmentLines(m.Assigned, shownTarget) {
				rows = append(rows, append(slices.Clone(about), line[:]...))
				about = make([]string, len(about)) // what is below belongs to the same member
			}
		}
	}
	if len(rows) == 0 {
		return
	}
	shown := map[string]bool{
		"GROUP": len(groups) > 1, "LEADS": leads, "CLIENT": clients || t.wide, "EPOCH": epochs || t.wide,
		"TOPICS": topics || t.wide, "TARGET": targets || t.wide,
		"COUNTS": elections && t.wide, "ELECTED": elections, "CANDIDATE": elections, "PRIORITY": elections, "PAYLOAD": elections,
		"LAG": others || t.wide, "PARTITIONS": others || t.wide, "ASSIGNED": others || t.wide,
	}
	t.gap()
	t.leaveOut(unknown, "INSTANCE", "RACK", "EPOCH", "TRAITS", "PAYLOAD")
	t.leaveOut("yes", "CANDIDATE")
	for _, cells := range append([][]string{head}, rows...) {
		var kept []string
		for i, cell := range cells {
			if optional, ok := shown[head[i]]; !ok || optional {
				kept = append(kept, cell)
			}
		}
		t.row(kept...)
	}
}

// tellsClient says whether a member's id begins with the name of its client, as it does in
// the classic protocol but for static members.
func tellsClient(m inspect.Member) bool {
	return m.ClientID == "" || m.ID == m.ClientID || strings.HasPrefix(m.ID, m.ClientID+"-")
}

func topicsIn(assigned []inspect.TopicPartitions) []string {
	var topics []string
	for _, tp := range assigned {
		topics = append(topics, tp.Topic)
	}
	return topics
}

// topicsOfAll are the topics that any member of a group is assigned something of, sorted.
func topicsOfAll(g inspect.Group) []string {
	all := map[string]bool{}
	for _, m := range g.Members {
		for _, topic := range topicsIn(m.Assigned) {
			all[topic] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func partitionCount(assigned []inspect.TopicPartitions) string {
	if assigned == nil {
		return unknown
	}
	n := 0
	for _, tp := range assigned {
		n += len(tp.Partitions)
	}
	return strconv.Itoa(n)
}

// assignmentLines are, for each topic, what a member is assigned of it and what is its
// target. Long lists are cut short.
func assignmentLines(assigned, target []inspect.TopicPartitions) [][2]string {
	cells := map[string][2]string{}
	for column, all := range [2][]inspect.TopicPartitions{assigned, target} {
		for _, tp := range all {
			line := cells[tp.Topic]
			line[column] = name(tp.Topic) + "[" + cutShort(ranges(tp.Partitions)) + "]"
			cells[tp.Topic] = line
		}
	}
	if len(cells) == 0 {
		return [][2]string{{unknown, unknown}}
	}
	var lines [][2]string
	for _, topic := range slices.Sorted(maps.Keys(cells)) {
		line := cells[topic]
		for column := range line {
			if line[column] == "" {
				line[column] = unknown
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// cutShort keeps the beginning of a list with commas.
func cutShort(list string) string {
	const most = 40
	if len(list) <= most {
		return list
	}
	return list[:strings.LastIndexByte(list[:most], ',')+1] + "…"
}

// traits shows what a member of package member tells about itself.
func traits(tr *inspect.Traits) string {
	if tr == nil {
		return unknown
	}
	text := fmt.Sprintf("capacity=%g", max(tr.Capacity, 0))
	if tr.Capacity == 0 {
		text = "capacity=1"
	}
	if tr.MaxPartitions > 0 {
		text += fmt.Sprintf(",maxPartitions=%d", tr.MaxPartitions)
	}
	if tr.MaxWeight > 0 {
		text += fmt.Sprintf(",maxWeight=%g", tr.MaxWeight)
	}
	for _, label := range sortedKeys(tr.Labels) {
		text += "," + name(label) + "=" + name(tr.Labels[label])
	}
	if tr.Draining {
		text += ",draining"
	}
	return text
}
