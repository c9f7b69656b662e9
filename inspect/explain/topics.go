package explain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/groupkit/groupkit/inspect/watch"
)

// subscriptions: members that stayed subscribe to other topics.
func (h *history) subscriptions() []*finding {
	v := find(SubscriptionChanged, Certain, doSubscribeAlike)
	who := map[string]watch.MemberRef{}
	for _, r := range h.rounds {
		were, seen := byID(r.before), map[string]bool{}
		for _, m := range r.after.Members {
			was, stayed := were[m.ID]
			if !stayed || was.Topics == nil || m.Topics == nil || slices.Equal(was.Topics, m.Topics) {
				continue
			}
			v.takes(r)
			who[m.ID] = m.MemberRef
			seen[m.ID] = true
			v.quote(r.at, r.source, fmt.Sprintf("%s: %s subscribed to %s, and before to %s", generationOf(r), named(m.MemberRef), topics(m.Topics), topics(was.Topics)))
		}
		for _, c := range r.toldOf("subscription") {
			if seen[c.Member] {
				continue
			}
			v.takes(r)
			ref := refIn(r.after, c.Member)
			who[c.Member] = ref
			v.quote(r.at, SourceMember, fmt.Sprintf("%s: the leader says that %s subscribes to other topics", generationOf(r), named(ref)))
		}
	}
	if len(who) == 0 {
		return nil
	}
	v.Members = sortedRefs(who)
	v.Says = fmt.Sprintf("%s changed what %s to.", namedAll(v.Members), plural(len(who), "it subscribes", "they subscribe"))
	return []*finding{v}
}

func topics(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// partitions: topics have more or fewer partitions than when the group planned last.
func (h *history) partitions() []*finding {
	v := find(PartitionsChanged, Certain, doExpectPartitions)
	for topic, sizes := range h.sizes {
		for i := 1; i < len(sizes); i++ {
			was, is := sizes[i-1].Topic.Partitions, sizes[i].Topic.Partitions
			if was == is {
				continue
			}
			v.quote(sizes[i].At, sizes[i].Source, fmt.Sprintf("%s has %s, and had %d before", topic, many(is, "partition"), was))
			for _, r := range h.rounds {
				// Clients look for new partitions every few minutes, so the rebalance may
				// come late.
				if r.at.After(sizes[i-1].At) && r.by == nil && r.isQuiet() {
					v.takes(r)
					v.quote(r.at, r.source, generationOf(r)+" followed")
					break
				}
			}
		}
	}
	for _, r := range h.rounds {
		for _, c := range r.toldOf("topic") {
			if len(h.sizes[c.Topic]) > 1 {
				continue // that was seen itself
			}
			v.takes(r)
			v.quote(r.at, SourceMember, fmt.Sprintf("%s: the leader says that %s has %s", generationOf(r), c.Topic, c.Detail))
		}
	}
	whole := map[string]int32{} // topics of which all partitions up to a number were assigned
	for i, r := range h.rounds {
		// A cooperative group withholds partitions for one round, the highest perhaps; and
		// who joins may be the first to subscribe.
		mayBeWithheld := i > 0 && r.at.Sub(h.rounds[i-1].at) < followWithin
		for topic, size := range wholeTopics(r.before) {
			whole[topic] = max(whole[topic], size)
		}
		for topic, size := range wholeTopics(r.after) {
			was, known := whole[topic]
			if !known || size <= was {
				continue
			}
			whole[topic] = size
			if sizes := h.sizes[topic]; len(sizes) > 0 && !sizes[0].At.After(r.at) || !r.isQuiet() || mayBeWithheld {
				continue // the topic itself was looked at, or this is no sign
			}
			v.Sure = Likely
			v.takes(r)
			v.quote(r.at, r.source, fmt.Sprintf("%s: %s of %s are assigned, and %d before", generationOf(r), many(int(size), "partition"), topic, was))
		}
	}
	if len(v.Evidence) == 0 {
		return nil
	}
	v.Says = "A topic that the group consumes has another number of partitions."
	if v.Explains == 0 {
		v.Sure = Possible
		v.Says = "A topic that the group consumes has another number of partitions; no rebalance was seen for it."
	}
	return []*finding{v}
}

// wholeTopics are topics of which every partition up to the highest one is assigned.
func wholeTopics(g watch.Group) map[string]int32 {
	seen := map[string]map[int32]bool{}
	for _, m := range g.Members {
		for _, t := range m.Assigned {
			if seen[t.Topic] == nil {
				seen[t.Topic] = map[int32]bool{}
			}
			for _, p := range t.Partitions {
				seen[t.Topic][p] = true
			}
		}
	}
	whole := map[string]int32{}
	for topic, partitions := range seen {
		if n := int32(len(partitions)); n > 0 && slices.Max(slices.Collect(maps.Keys(partitions))) == n-1 {
			whole[topic] = n
		}
	}
	return whole
}
