package inspect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/watch"
)

// eligible is the state of a partition for which its ELR is known.
type eligible struct {
	epoch int32
	isr   []int32
}

// elrAsker asks which replicas may lead without being in sync, of the partitions for
// which that matters: those of which a replica is out of sync.
type elrAsker struct {
	*watcher
	known map[partitionID]eligible
	// next is the first that there was no time for at the last look.
	next partitionID
	// unsupportedAt is the broker that knows of no such replicas, so that there are none,
	// unless another one does, as while brokers are upgraded.
	unsupportedAt *int32
	// failing: the last request failed, so the next one waits until due.
	failing bool
	due     time.Time
}

// elrAgain is how long metadata is left alone with a request that failed: it waits for
// the answer, and a broker that does not answer holds up what is asked of it next.
const elrAgain = 10 * time.Second

const (
	// elrAtOnce is how many partitions are asked for at a look, and in one request;
	// brokers answer for 2,000 at most by default (max.request.partition.size.limit).
	elrAtOnce = 1000
	// elrPages is how many requests a look takes at most. One that begins at a partition
	// has those that follow, wanted or not.
	elrPages = 2
)

func (e *elrAsker) look(ctx context.Context, node int32, partitions []watch.Partition) bool {
	if e.unsupportedAt != nil && *e.unsupportedAt != node {
		e.unsupportedAt = nil
		clear(e.known)
	}
	present := make(map[partitionID]bool, len(e.known))
	wanted := map[partitionID]watch.Partition{}
	for _, p := range partitions {
		name := partitionID{p.Topic, p.Partition}
		was, known := e.known[name]
		if known {
			present[name] = true
		}
		switch {
		case !p.Degraded() || p.LeaderEpoch == nil:
			delete(e.known, name)
		case known && was.epoch == *p.LeaderEpoch && slices.Equal(was.isr, p.ISR), len(wanted) >= elrAtOnce:
		default:
			wanted[name] = p
		}
	}
	maps.DeleteFunc(e.known, func(name partitionID, _ eligible) bool { return !present[name] })
	if len(wanted) == 0 {
		if e.failing {
			e.failing = false
			return e.saw(ctx, sight{part: partELR}, time.Now(), nothingMore)
		}
		return true
	}
	if time.Now().Before(e.due) {
		return true
	}
	found := make([]watch.Partition, 0, len(wanted))
	if e.unsupportedAt != nil {
		for _, p := range wanted {
			p.ELR, p.LastKnownELR = []int32{}, []int32{}
			found = append(found, p)
		}
	} else {
		found = e.ask(ctx, node, wanted) // what is left out is asked for again at the next look
	}
	if len(found) == 0 {
		return true
	}
	for _, p := range found {
		e.known[partitionID{p.Topic, p.Partition}] = eligible{*p.LeaderEpoch, p.ISR}
	}
	return e.send(ctx, func(d *watch.Differ) []watch.Event {
		d.Eligible(found)
		return nil
	})
}

// ask asks from the first partition wanted on, and from the first of those that the
// answer did not come to. The first of the request after takes its turn where this one
// left off.
func (e *elrAsker) ask(ctx context.Context, node int32, wanted map[partitionID]watch.Partition) []watch.Partition {
	names := slices.SortedFunc(maps.Keys(wanted), comparePartitions)
	// Those that were not answered for at the last look do not hold up the others.
	start, _ := slices.BinarySearchFunc(names, e.next, comparePartitions)
	names = slices.Concat(names[start:], names[:start])
	found := []watch.Partition{}
	for range elrPages {
		if len(names) == 0 {
			break
		}
		first := names[0]
		var topics []string
		for _, name := range names {
			if comparePartitions(name, first) >= 0 && !slices.Contains(topics, name.topic) {
				topics = append(topics, name.topic)
			}
		}
		slices.Sort(topics)
		req := partitionsRequest(topics, &place{first.topic, first.partition}).(*kmsg.DescribeTopicPartitionsRequest)
		req.ResponsePartitionLimit = elrAtOnce
		resp, began, err := ask[*kmsg.DescribeTopicPartitionsResponse](ctx, e.watcher, node, true, metadataTimeout, req)
		if err != nil {
			err = e.lacks(ctx, node, req.Key(), err)
			p := problemFrom(err, "", "find out which replicas may lead without being in sync, so causes of elections may stay unknown", "DESCRIBE on each topic")
			if errors.Is(err, kerr.UnsupportedVersion) {
				e.unsupportedAt = &node
			} else {
				e.failing, e.due = true, time.Now().Add(elrAgain)
				e.failed(ctx, sight{part: partELR}, began, p)
			}
			break
		}
		if e.failing {
			e.failing = false
			e.saw(ctx, sight{part: partELR}, began, nothingMore)
		}
		passed := map[partitionID]bool{first: true}
		for _, topic := range resp.Topics {
			if topic.Topic == nil || topic.ErrorCode != 0 {
				continue
			}
			for _, p := range topic.Partitions {
				name := partitionID{*topic.Topic, p.Partition}
				want, ok := wanted[name]
				if !ok || passed[name] && name != first || p.ErrorCode != 0 || p.LeaderEpoch < 0 {
					continue
				}
				passed[name] = true
				want.Leader, want.LeaderEpoch, want.ISR = known(p.LeaderID), known(p.LeaderEpoch), p.ISR
				want.ELR, want.LastKnownELR = emptyIfNil(p.EligibleLeaderReplicas), emptyIfNil(p.LastKnownELR)
				found = append(found, want)
			}
		}
		names = slices.DeleteFunc(names, func(name partitionID) bool { return passed[name] })
		if e.next = (partitionID{}); len(names) > 0 {
			e.next = names[0]
		}
	}
	return found
}
