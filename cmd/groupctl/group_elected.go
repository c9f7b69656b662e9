package main

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/groupkit/groupkit/inspect"
)

// isElection says whether a group is an election of package member: there who leads the
// group, in the sense of Kafka's protocol, only counts the votes.
func isElection(g inspect.Group) bool {
	if g.Elected != nil {
		return true
	}
	for _, m := range g.Members {
		if m.Candidacy != nil {
			return true
		}
	}
	return false
}

// electedCells are who is elected, its ballot and what it says of itself, for the table of
// groups.
func electedCells(t *table, g inspect.Group, who func(string) string) []string {
	if g.Elected == nil {
		return []string{unknown, unknown, unknown}
	}
	return []string{electedName(g.Elected, who), strconv.FormatInt(g.Elected.Ballot, 10), payload(t, g.Elected.Payload)}
}

func electedName(e *inspect.Elected, who func(string) string) string {
	if e.Member == nil {
		return "nobody"
	}
	return who(*e.Member)
}

// candidacyCells are whether a member of an election counts its votes, is elected and wants
// to be, its priority, and what it says of itself.
func candidacyCells(t *table, g inspect.Group, m inspect.Member) []string {
	cells := []string{unknown, unknown, unknown, unknown, unknown}
	if !isElection(g) {
		return cells
	}
	cells[0] = yesNo(m.Leader)
	if g.Elected != nil {
		cells[1] = yesNo(new(g.Elected.Member != nil && *g.Elected.Member == m.ID))
	}
	if c := m.Candidacy; c != nil {
		cells[2], cells[3], cells[4] = yesNo(&c.Candidate), strconv.Itoa(int(c.Priority)), payload(t, c.Payload)
	}
	return cells
}

// electedText tells of a verdict in a sentence about a round.
func electedText(e *inspect.Elected, who func(string) string) string {
	if e.Member == nil {
		return "nobody elected"
	}
	text := "elected " + who(*e.Member) + ", ballot " + strconv.FormatInt(e.Ballot, 10)
	if len(e.Payload) > 0 {
		text += ", payload " + payload(nil, e.Payload)
	}
	if e.HandsOver {
		text += ", asked to hand over"
	}
	return text
}

// verdictText tells what changed from one verdict to the next; before is nil where that is
// not known.
func verdictText(before, now *inspect.Elected, who func(string) string) string {
	if before == nil || before.Ballot != now.Ballot || nameOr(before.Member) != nameOr(now.Member) || !bytes.Equal(before.Payload, now.Payload) {
		return electedText(now, who)
	}
	text := "elected as before"
	if now.Member == nil {
		text = "nobody elected, as before"
	}
	if now.HandsOver {
		text += ", asked to hand over"
	}
	return text
}

// payload shows what a candidate says of itself: text as it is, and other bytes in base64.
// It is cut short, but in wide tables.
func payload(t *table, raw []byte) string {
	const most = 60
	text := "base64:" + base64.StdEncoding.EncodeToString(raw)
	switch {
	case len(raw) == 0:
		return unknown
	case utf8.Valid(raw):
		text = name(string(raw))
	}
	if t != nil && t.wide || len(text) <= most {
		return text
	}
	cut := most
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
