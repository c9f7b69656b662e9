package explain

import (
	"fmt"
	"slices"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// undecoded are members of which what they say does not decode: those that are there,
// or those that are gone, nil if there are none.
func (h *history) undecoded(present bool) *finding {
	bad := map[string]watch.MemberRef{}
	v := find(UnreadableMetadata, Certain, doRepair)
	there := h.present()
	wanted := func(id string) bool {
		_, known := bad[id]
		return !known && (there == nil || there[id]) == present
	}
	see := func(at time.Time, source Source, g []watch.Member) {
		for _, m := range g {
			if m.Unreadable != "" && wanted(m.ID) {
				bad[m.ID] = m.MemberRef
				v.quote(at, source, fmt.Sprintf("%s (%s): %s", named(m.MemberRef), calledWho(m.MemberRef), m.Unreadable))
			}
		}
	}
	for _, o := range h.all {
		switch {
		case o.Look != nil:
			see(o.At, o.Source, o.Look.Members)
		case o.Record != nil:
			see(o.At, o.Source, o.Record.Members)
		case o.Said != nil && o.Said.Kind == "isolated" && o.Said.Subject != "" && wanted(o.Said.Subject):
			bad[o.Said.Subject] = watch.MemberRef{ID: o.Said.Subject}
			v.quote(o.At, o.Source, fmt.Sprintf("the leader %q isolated %q: %s", o.Said.Member, o.Said.Subject, o.Said.Error))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	v.Members = sortedRefs(bad)
	v.Says = fmt.Sprintf("What %s of itself cannot be decoded.", says(v.Members))
	if !present {
		v.Sure = Possible
		v.Says = fmt.Sprintf("What %s of itself could not be decoded; %s gone.", says(v.Members), plural(len(bad), "it is", "they are"))
		v.Do = doStayAway
		isBad := func(m watch.Member) bool { _, is := bad[m.ID]; return is }
		for _, r := range h.rounds {
			if r.by == nil && (slices.ContainsFunc(r.joined, isBad) || slices.ContainsFunc(r.left, isBad)) {
				v.takes(r)
				v.quote(r.at, r.source, generationOf(r)+": "+changes(r))
			}
		}
	}
	return v
}

// present are the members that were there when the group was seen last, nil if it never
// was.
func (h *history) present() map[string]bool {
	for _, o := range slices.Backward(h.all) {
		members := []watch.Member(nil)
		switch {
		case o.Look != nil:
			members = o.Look.Members
		case o.Record != nil:
			members = o.Record.Members
		case !o.Absent:
			continue
		}
		there := map[string]bool{}
		for _, m := range members {
			there[m.ID] = true
		}
		return there
	}
	return nil
}
