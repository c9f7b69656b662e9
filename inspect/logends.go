package inspect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// endKind is one of the three that logEnds asks for.
type endKind int

const (
	endStart endKind = iota
	endStable
	endHigh
	endKinds // how many there are
)

// endsReader asks leaders for where logs begin and end.
type endsReader struct {
	in *Inspector
	// topics are those of the partitions wanted, by name.
	topics map[string]*leadersOfTopic

	mu      sync.Mutex
	ends    map[partitionID]logEnds
	reasons map[partitionID]unknownEnds
}

// leadersOfTopic are a topic's leaders by partition, negative if there is none.
type leadersOfTopic struct {
	leaders []int32
	err     error // why they are not known
}

// unknownEnds is why the ends of a partition are not known: what its leader answered,
// or that it did not.
type unknownEnds struct {
	err    error
	broker *int32 // which did not answer
}

// logEnds returns the ends of the logs of partitions, with one request for each leader
// and kind. Where a leader has changed meanwhile, the new one is asked. Partitions
// whose ends are not known have problems, one for each reason.
func (in *Inspector) logEnds(ctx context.Context, topics map[string]*leadersOfTopic, wanted []partitionID) (map[partitionID]logEnds, []Problem) {
	r := &endsReader{
		in: in, topics: topics,
		ends: make(map[partitionID]logEnds, len(wanted)), reasons: map[partitionID]unknownEnds{},
	}
	for _, p := range wanted {
		r.ends[p] = logEnds{-1, -1, -1}
	}
	once, cancel := step(ctx, 0.6)
	r.ask(once, wanted)
	cancel()
	if len(r.reasons) > 0 && ctx.Err() == nil {
		before, failed := r.topics, slices.SortedFunc(maps.Keys(r.reasons), comparePartitions)
		r.topics = in.readLeaders(ctx, topicsAmong(failed), nil).byName
		var moved []partitionID
		for _, p := range failed {
			if now := leaderIn(r.topics, p); now >= 0 && now != leaderIn(before, p) {
				delete(r.reasons, p)
				moved = append(moved, p)
			}
		}
		once, cancel = step(ctx, 1)
		r.ask(once, moved)
		cancel()
	}
	return r.ends, r.problems()
}

func topicsAmong(sorted []partitionID) []string {
	var topics []string
	for _, p := range sorted {
		if len(topics) == 0 || topics[len(topics)-1] != p.topic {
			topics = append(topics, p.topic)
		}
	}
	return topics
}

func leaderIn(topics map[string]*leadersOfTopic, p partitionID) int32 {
	t := topics[p.topic]
	if t == nil || int(p.partition) >= len(t.leaders) || p.partition < 0 {
		return -1
	}
	return t.leaders[p.partition]
}

// ask asks each leader for its partitions.
func (r *endsReader) ask(ctx context.Context, partitions []partitionID) {
	byLeader := map[int32][]partitionID{}
	for _, p := range partitions {
		leader := leaderIn(r.topics, p)
		if leader >= 0 {
			byLeader[leader] = append(byLeader[leader], p)
			continue
		}
		why := unknownEnds{err: kerr.LeaderNotAvailable}
		if t := r.topics[p.topic]; t != nil && t.err != nil {
			why.err = t.err
		} else if t != nil && int(p.partition) >= len(t.leaders) {
			why.err = kerr.UnknownTopicOrPartition
		}
		r.reasons[p] = why
	}
	var asking sync.WaitGroup
	slots := make(chan struct{}, brokersAtOnce*int(endKinds))
	for _, leader := range sortedKeys(byLeader) {
		for kind := range endKinds {
			slots <- struct{}{}
			asking.Go(func() {
				defer func() { <-slots }()
				r.askOne(ctx, leader, kind, byLeader[leader])
			})
		}
	}
	asking.Wait()
}

func comparePartitions(a, b partitionID) int {
	if c := strings.Compare(a.topic, b.topic); c != 0 {
		return c
	}
	return int(a.partition) - int(b.partition)
}

func (r *endsReader) askOne(ctx context.Context, leader int32, kind endKind, partitions []partitionID) {
	resp, err := oneBroker[*kmsg.ListOffsetsResponse](ctx, r.in, leader, endsRequest(kind, partitions))
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		for _, p := range partitions {
			r.reasons[p] = unknownEnds{err, &leader}
		}
		return
	}
	missing := make(map[partitionID]bool, len(partitions))
	for _, p := range partitions {
		missing[p] = true
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			id := partitionID{t.Topic, p.Partition}
			if !missing[id] {
				continue
			}
			delete(missing, id)
			ends := r.ends[id]
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				r.reasons[id] = unknownEnds{err: err}
				continue
			}
			switch kind {
			case endStart:
				ends.start = p.Offset
			case endStable:
				ends.stable = p.Offset
			case endHigh:
				ends.end = p.Offset
			}
			r.ends[id] = ends
		}
	}
	for p := range missing {
		r.reasons[p] = unknownEnds{err: errLeftOut}
	}
}

func endsRequest(kind endKind, partitions []partitionID) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	timestamp := timestampEnd
	switch kind {
	case endStart:
		timestamp = timestampStart
	case endStable:
		req.IsolationLevel = 1 // read committed
	}
	at := map[string]int{}
	for _, id := range partitions {
		i, ok := at[id.topic]
		if !ok {
			i = len(req.Topics)
			at[id.topic] = i
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = id.topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp, p.CurrentLeaderEpoch = id.partition, timestamp, -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	return req
}

// problems tells of each reason once, with an example.
func (r *endsReader) problems() []Problem {
	type group struct {
		why     unknownEnds
		example partitionID
		count   int
	}
	groups := map[string]*group{}
	for _, p := range slices.SortedFunc(maps.Keys(r.reasons), comparePartitions) {
		why := r.reasons[p]
		key := why.err.Error()
		switch {
		case why.broker != nil:
			key = fmt.Sprintf("broker %d", *why.broker)
		case isTopicError(why.err):
			key += " " + p.topic // another topic, another ACL
		}
		if groups[key] == nil {
			groups[key] = &group{why: why, example: p}
		}
		groups[key].count++
	}
	var problems []Problem
	for _, key := range sortedKeys(groups) {
		g := groups[key]
		example := fmt.Sprintf("%s-%d", g.example.topic, g.example.partition)
		doing := fmt.Sprintf("read where the log of %s begins and ends", example)
		if g.count > 1 {
			doing = fmt.Sprintf("read where the logs of %d partitions begin and end, such as %s", g.count, example)
		}
		target := example
		if g.why.broker != nil {
			target = fmt.Sprintf("broker %d", *g.why.broker)
			doing += " on " + target
		}
		p := problemFrom(g.why.err, target, doing, fmt.Sprintf("DESCRIBE on the topic %q", g.example.topic))
		switch g.why.err {
		case kerr.LeaderNotAvailable:
			p.Code, p.Message = CodeNoLeader, fmt.Sprintf("cannot %s: no broker leads it", doing)
		case kerr.UnknownTopicOrPartition:
			p.Code, p.Message = CodeTopicNotFound, fmt.Sprintf("cannot %s: it does not exist any more, or may not be seen", doing)
		}
		problems = append(problems, p)
	}
	return problems
}

func isTopicError(err error) bool {
	return err == kerr.TopicAuthorizationFailed || err == kerr.UnknownTopicOrPartition
}
