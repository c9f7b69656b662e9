package main

import (
	"fmt"
	"strconv"

	"github.com/groupkit/groupkit/inspect/predict"
)

// impactTables shows an outcome, or what a rolling restart comes to: what is lost first,
// and then what moves.
func impactTables(t *table, r *predict.Rolling) {
	if len(r.Rounds) > 0 {
		roundsTables(t, r)
		changesTables(t, r.Outcome)
		return
	}
	t.row(summaryHead...)
	t.row(summary(r.Outcome)...)
	var below, without [][]string
	for _, p := range r.UnderMinISR {
		below = append(below, underMinISRCells(p))
	}
	for _, p := range r.Offline {
		without = append(without, offlineCells(p))
	}
	t.rowsBelow(without, offlineHead...)
	t.rowsBelow(below, underMinISRHead...)
	changesTables(t, r.Outcome)
}

// roundsTables tell of a rolling restart what it is like while it goes on.
func roundsTables(t *table, r *predict.Rolling) {
	t.row(append([]string{"ROUND", "DOWN"}, summaryHead...)...)
	var below, without [][]string
	round := func(number, down string, o predict.Outcome) {
		t.row(append([]string{number, down}, summary(o)...)...)
		for _, p := range o.UnderMinISR {
			below = append(below, append([]string{number}, underMinISRCells(p)...))
		}
		for _, p := range o.Offline {
			without = append(without, append([]string{number}, offlineCells(p)...))
		}
	}
	for i, one := range r.Rounds {
		round(strconv.Itoa(i+1), numbers(one.Nodes), one.Outcome)
	}
	round("end", unknown, r.Outcome)
	t.rowsBelow(without, append([]string{"ROUND"}, offlineHead...)...)
	t.rowsBelow(below, append([]string{"ROUND"}, underMinISRHead...)...)
}

// rowsBelow is a table of its own below the others, if there is anything in it.
func (t *table) rowsBelow(rows [][]string, head ...string) {
	if len(rows) == 0 {
		return
	}
	t.gap()
	t.row(head...)
	for _, row := range rows {
		t.row(row...)
	}
}

var (
	summaryHead     = []string{"LEADERS-CHANGE", "OFFLINE", "UNDER-MIN-ISR", "COORDINATORS-CHANGE", "CONTROLLER", "THEN", "QUORUM"}
	underMinISRHead = []string{"UNDER-MIN-ISR", "PARTITION", "IN-SYNC", "MIN-ISR", "ALREADY"}
	offlineHead     = []string{"OFFLINE", "PARTITION", "ALREADY"}
)

func summary(o predict.Outcome) []string {
	newlyOffline, newlyBelow := 0, 0
	for _, p := range o.Offline {
		if !p.Already {
			newlyOffline++
		}
	}
	for _, p := range o.UnderMinISR {
		if !p.Already {
			newlyBelow++
		}
	}
	return []string{
		strconv.Itoa(len(o.Partitions)), andNew(len(o.Offline), newlyOffline), andNew(len(o.UnderMinISR), newlyBelow),
		strconv.Itoa(len(o.Coordinators)), number(o.Controller.From), numbers(o.Controller.Candidates), quorum(o.Controller.Quorum),
	}
}

func changesTables(t *table, o predict.Outcome) {
	if len(o.Partitions) > 0 {
		t.gap()
		t.leaveOut(unknown, "OR")
		t.row("TOPIC", "PARTITION", "FROM", "TO", "REASON", "OR")
		for _, p := range o.Partitions {
			t.row(name(p.Topic), strconv.Itoa(int(p.Partition)), number(p.From), number(p.To), string(p.Reason), numbers(p.Alternatives))
		}
	}
	if len(o.Coordinators) > 0 {
		t.gap()
		t.leaveOut(unknown, "OR")
		t.row("GROUP", "PARTITION", "FROM", "TO", "OR")
		for _, c := range o.Coordinators {
			t.row(name(c.Group), strconv.Itoa(int(c.Partition)), number(c.From), number(c.To), numbers(c.Alternatives))
		}
	}
}

func underMinISRCells(p predict.UnderMinISR) []string {
	return []string{name(p.Topic), strconv.Itoa(int(p.Partition)), strconv.Itoa(p.InSync), strconv.Itoa(p.MinISR), yesNo(&p.Already)}
}

func offlineCells(p predict.OfflinePartition) []string {
	return []string{name(p.Topic), strconv.Itoa(int(p.Partition)), yesNo(&p.Already)}
}

func andNew(all, fresh int) string {
	if all == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%d new)", all, fresh)
}

func quorum(q predict.Quorum) string {
	switch {
	case q.Kept == nil:
		return unknown
	case *q.Kept:
		return fmt.Sprintf("kept: %d of %d up, %d needed", len(q.Up), len(q.Voters), *q.Majority)
	}
	return fmt.Sprintf("LOST: %d of %d up, %d needed", len(q.Up), len(q.Voters), *q.Majority)
}
