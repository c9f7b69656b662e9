package explain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/groupkit/groupkit/inspect/watch"
)

// duplicates: two processes use one instance id. The coordinator takes the newer one for
// the older one restarted, and fences that.
func (h *history) duplicates() []*finding {
	v := find(DuplicateInstance, Certain, doGiveOwnInstance)
	fenced := map[string]watch.MemberRef{}
	instances := map[string]bool{}
	var last time.Time
	isFenced := false // by a newer one; in KIP-848 it is the newer one that is refused
	for _, o := range h.said {
		out, refused := strings.Contains(o.Said.Error, "FENCED_INSTANCE_ID"), strings.Contains(o.Said.Error, "UNRELEASED_INSTANCE_ID")
		if !out && !refused {
			continue
		}
		ref := saidBy(*o.Said)
		what := "was fenced out"
		if isFenced = isFenced || out; !out {
			what = "was refused"
		}
		last, fenced[cmp.Or(ref.ID, ref.ClientID)] = o.At, ref
		instances[o.Said.Instance] = true
		v.quote(o.At, o.Source, fmt.Sprintf("%q %s: %s", cmp.Or(ref.ID, ref.ClientID, o.Said.Instance), what, o.Said.Error))
	}
	if len(fenced) == 0 {
		return nil
	}
	v.Sure = h.stillRefused(last)
	if !isFenced && v.Sure == Certain {
		v.Sure = Likely
	}
	or := "."
	if !isFenced {
		or = ", or one that died has its place kept until its session ends."
	}
	v.Members = sortedRefs(fenced)
	var says []string
	for _, instance := range slices.Sorted(maps.Keys(instances)) {
		clients := map[string]bool{}
		for _, o := range h.said {
			if o.Said.Instance == instance && instance != "" && o.Said.ClientID != "" {
				clients[o.Said.ClientID] = true
			}
		}
		text := "two processes use the instance id"
		if instance != "" {
			text += fmt.Sprintf(" %q", instance)
		}
		if len(clients) > 0 {
			names := slices.Sorted(maps.Keys(clients))
			for i, name := range names {
				names[i] = fmt.Sprintf("%q", name)
			}
			text += fmt.Sprintf(" (%s %s)", plural(len(names), "client id", "client ids"), listed(names))
		}
		says = append(says, text)
	}
	text := strings.Join(says, "; ")
	v.Says = upperFirst(text) + or
	shares := func(m watch.Member) bool { return m.Instance != nil && instances[*m.Instance] }
	for _, r := range h.rounds {
		if slices.ContainsFunc(r.joined, shares) || slices.ContainsFunc(r.left, shares) {
			v.takes(r)
		}
	}
	return []*finding{v}
}
