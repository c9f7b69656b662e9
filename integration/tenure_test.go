package integration

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/groupkit/groupkit/member"
)

// tenure is for how long a member had a partition, from when the group gave it until the
// member had given it up.
type tenure struct {
	by        string
	partition int32
	from, to  time.Time
}

// noTwoOwners fails the test where two members had a partition at the same time.
func noTwoOwners(t *testing.T, all []tenure) {
	t.Helper()
	slices.SortFunc(all, func(a, b tenure) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), a.from.Compare(b.from))
	})
	const layout = "15:04:05.000"
	for i := 1; i < len(all); i++ {
		before, after := all[i-1], all[i]
		if before.partition == after.partition && after.from.Before(before.to) {
			t.Errorf("partition %d was %s's from %s to %s, and %s's from %s to %s", before.partition,
				before.by, before.from.Format(layout), before.to.Format(layout), after.by, after.from.Format(layout), after.to.Format(layout))
		}
	}
}

// holdings makes tenures of what a member is told.
type holdings struct {
	by    string
	since map[int32]time.Time
	ended []tenure
}

func (h *holdings) begin(partition int32, at time.Time) {
	if _, has := h.since[partition]; !has {
		h.since[partition] = at
	}
}

func (h *holdings) end(partition int32, at time.Time) {
	if since, has := h.since[partition]; has {
		h.ended = append(h.ended, tenure{h.by, partition, since, at})
		delete(h.since, partition)
	}
}

// tenures of a member that was closed.
func (r *runner) tenures() []tenure {
	h := &holdings{by: r.name, since: make(map[int32]time.Time)}
	for _, e := range r.told() {
		switch e.Kind {
		case member.EventAssigned:
			for _, tp := range e.Assigned {
				for _, p := range tp.Partitions {
					h.begin(p, e.Time)
				}
			}
		case member.EventRevoked:
			for _, tp := range e.Assigned {
				for _, p := range tp.Partitions {
					h.end(p, e.Time)
				}
			}
		case member.EventLost, member.EventClosed:
			for p := range h.since {
				h.end(p, e.Time)
			}
		}
	}
	return h.ended
}

// tenures of a Java consumer that was stopped. It tells times in whole milliseconds.
func (j *javaConsumer) tenures() []tenure {
	h := &holdings{by: j.files, since: make(map[int32]time.Time)}
	for _, e := range j.events() {
		at := time.UnixMilli(e.Timestamp)
		for _, p := range e.Partitions {
			switch e.Name {
			case "partitions_assigned":
				h.begin(p.Partition, at.Add(time.Millisecond))
			case "partitions_revoked", "partitions_lost":
				h.end(p.Partition, at)
			}
		}
	}
	return h.ended
}
