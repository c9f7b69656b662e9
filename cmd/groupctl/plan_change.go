package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/groupkit/groupkit/assign"
	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/live"
)

// change plays the members that are to leave and to join.
func (r *planner) change(g *live.Group, flags planFlags) (changed assign.Group, ok bool) {
	changed = assign.Group{Members: slices.Clone(g.Problem.Members), Topics: g.Problem.Topics}
	topics := subscribed(changed)
	for _, who := range flags.remove {
		leaver, several := memberCalled(changed.Members, who)
		switch {
		case leaver >= 0:
			changed.Members = slices.Delete(changed.Members, leaver, leaver+1)
		case several:
			r.errors = append(r.errors, inspect.Problem{
				Code: codeMemberNotFound, Target: who,
				Message: fmt.Sprintf("%q begins the ids of several members of the group %q; give one in full: it has %s", who, g.Seen.Group, someMembers(changed)),
			})
			return changed, false
		default:
			r.errors = append(r.errors, inspect.Problem{
				Code: codeMemberNotFound, Target: who,
				Message: fmt.Sprintf("the group %q has no member %q to remove; it has %s", g.Seen.Group, who, someMembers(changed)),
			})
			return changed, false
		}
	}
	taken := make(map[string]bool)
	for i := range g.Problem.Members {
		taken[g.Problem.Members[i].ID] = true
	}
	for n, number := 0, 1; n < flags.addMembers; number++ {
		id := fmt.Sprintf("new-%d", number)
		if !taken[id] {
			changed.Members = append(changed.Members, assign.Member{ID: id, Topics: topics})
			n++
		}
	}
	if len(changed.Members) == 0 {
		r.usage = &usageError{fmt.Sprintf("--remove takes all members of the group %q away, and no member is left to plan for; remove fewer, or add some with --add-members", g.Seen.Group)}
		return changed, false
	}
	return changed, true
}

// memberCalled finds the member of an id, an instance, or the beginning of an id that
// tables show it by, if it is the only one; -1 if there is none, or several.
func memberCalled(members []assign.Member, who string) (found int, several bool) {
	found = slices.IndexFunc(members, func(m assign.Member) bool { return m.ID == who || m.Instance != "" && m.Instance == who })
	if found >= 0 {
		return found, false
	}
	for i, m := range members {
		switch {
		case shortID(m.ID) != who:
		case found >= 0:
			return -1, true
		default:
			found = i
		}
	}
	return found, false
}

func someMembers(g assign.Group) string {
	const most = 5
	var ids []string
	for i := range g.Members {
		if i == most {
			return strings.Join(ids, ", ") + fmt.Sprintf(" and %d more", len(g.Members)-most)
		}
		ids = append(ids, fmt.Sprintf("%q", g.Members[i].ID))
	}
	return strings.Join(ids, ", ")
}

func subscribed(g assign.Group) []string {
	var names []string
	for i := range g.Members {
		names = append(names, g.Members[i].Topics...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
