package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect/explain"
	"github.com/groupkit/groupkit/inspect/watch"
)

const (
	// recordEvery is how far looks at a group that is recorded lie apart, and with it
	// how exactly waits are known.
	recordEvery = 500 * time.Millisecond
	// mostRecorded bounds what a recording holds.
	mostRecorded = 200_000
	// listAgain is how often brokers are asked who lists a group of which it cannot be
	// told whether it exists.
	listAgain = 5 * time.Second
)

// recorder asks the coordinator of one group again and again, and keeps what changed.
type recorder struct {
	*Inspector
	group   string
	seen    []explain.Observation
	problem *Problem // why the group could not be looked at, of the last look
	absent  bool     // at the last look
	looks   int
	stopped <-chan struct{} // when the recording is interrupted
	missed  map[recordedPart]*missedLooks
	full    bool      // more was seen than is kept
	listed  time.Time // when the brokers were asked who lists it, in vain

	coordinator *int32
	groupType   string
	committed   map[partitionID]int64
	sizes       map[string]int
	// last is the last look, and again the same where the one before was like it.
	last, again *watch.Group
}

func (r *recorder) run(ctx context.Context, lasts time.Duration) {
	began := time.Now()
	for n := 0; ; n++ {
		at := time.Now()
		r.looks++
		r.stopped = ctx.Done()
		r.look(ctx)
		r.lookAtCommits(ctx)
		if n%4 == 0 {
			r.lookAtTopics(ctx)
		}
		next := at.Add(recordEvery)
		if r.full = len(r.seen) > mostRecorded; r.full || next.Sub(began) > lasts || !pause(ctx, time.Until(next)) {
			return
		}
	}
}

// isStopped says whether the recording was interrupted: a look that fails then tells nothing.
func (r *recorder) isStopped() bool {
	select {
	case <-r.stopped:
		return true
	default:
		return false
	}
}

// find asks who coordinates the group. Where there is no __consumer_offsets there is no
// group; and where that may be so, only what brokers list is asked for: FindCoordinator
// would create it.
func (r *recorder) find(ctx context.Context) error {
	topic, metadata, err := r.offsetsTopicAndBrokers(ctx)
	switch {
	case err != nil:
		return err
	case topic.absent:
		return kerr.GroupIDNotFound
	case topic.hidden && !r.createInternalTopics:
		if r.problem != nil && time.Since(r.listed) < listAgain {
			return *r.problem
		}
		listing := r.listGroups(ctx, metadata.Brokers, []string{r.group})
		if listed, ok := listing.groups[r.group]; ok {
			r.coordinator = &listed.coordinator
			return nil
		}
		if len(listing.groups) == 0 {
			r.listed = time.Now()
			if len(listing.problems) > 0 {
				return listing.problems[0]
			}
			return hiddenProblem(r.group, topic.problem.Cause)
		}
	}
	found := r.findCoordinators(ctx, []string{r.group})[r.group]
	if found.problem != nil {
		return *found.problem
	}
	r.coordinator = found.node
	return nil
}

func (r *recorder) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if r.coordinator == nil {
		if err := r.find(ctx); err != nil {
			r.note(err)
			return
		}
	}
	types := groupTypes()
	if r.groupType != "" {
		types = append([]string{r.groupType}, slices.DeleteFunc(types, func(t string) bool { return t == r.groupType })...)
	}
	failure := error(kerr.GroupIDNotFound)
	for _, groupType := range types {
		at := time.Now()
		req := describeRequest(groupType, []string{r.group})
		resp, err := oneBroker[kmsg.Response](ctx, r.Inspector, *r.coordinator, req)
		err = r.unsupportedAs(ctx, *r.coordinator, req.Key(), err)
		if err == nil {
			err = errLeftOut
			for _, d := range watchedGroups(resp) {
				if d.name == r.group {
					err = d.err
					if err == nil {
						r.groupType = groupType
						r.keep(at, d.group)
						return
					}
				}
			}
		}
		if !errors.Is(err, kerr.GroupIDNotFound) && !errors.Is(err, kerr.UnsupportedVersion) {
			failure = err
			break
		}
	}
	r.note(failure)
}

// note keeps that a look failed.
func (r *recorder) note(err error) {
	if errors.Is(err, kerr.GroupIDNotFound) {
		r.problem = nil
		if !r.absent {
			r.seen = append(r.seen, explain.Observation{At: time.Now(), Source: explain.SourcePoll, Absent: true})
		}
		r.absent, r.last, r.again = true, nil, nil
		return
	}
	if r.isStopped() && r.looks > 1 {
		r.looks-- // this one was not to be
		return
	}
	r.coordinator = nil
	p, ok := errors.AsType[Problem](err)
	if !ok {
		p = descriptionProblem(err, r.group)
	}
	r.problem = &p
	r.miss(recordedGroup, p)
}

// keep keeps a look. Of several that are the same the first and the last remain.
func (r *recorder) keep(at time.Time, group watch.Group) {
	r.problem, r.absent = nil, false
	same := r.last != nil && reflect.DeepEqual(*r.last, group)
	if same && r.again != nil {
		for i := len(r.seen) - 1; i >= 0; i-- {
			if r.seen[i].Look == r.again {
				r.seen = slices.Delete(r.seen, i, i+1)
				break
			}
		}
	}
	look := &group
	r.seen = append(r.seen, explain.Observation{At: at, Source: explain.SourcePoll, Look: look})
	if same {
		r.again = look
	} else {
		r.again = nil
	}
	r.last = look
}

// lookAtCommits keeps which committed offsets have moved.
func (r *recorder) lookAtCommits(ctx context.Context) {
	if r.coordinator == nil || r.last == nil {
		return
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group, group.MemberEpoch = r.group, -1
	req.Groups = append(req.Groups, group)
	req.Group = r.group // up to v7
	at := time.Now()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	resp, err := oneBroker[*kmsg.OffsetFetchResponse](ctx, r.Inspector, *r.coordinator, batchedOffsetFetch{req})
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
		for _, g := range resp.Groups {
			err = cmp.Or(err, kerr.ErrorForCode(g.ErrorCode))
		}
	}
	if err != nil {
		r.miss(recordedCommits, problemFrom(err, r.group, fmt.Sprintf("read what the group %q committed", r.group), fmt.Sprintf("DESCRIBE on the group %q", r.group)))
		return
	}
	first := r.committed == nil
	if first {
		r.committed = map[partitionID]int64{}
	}
	take := func(topic string, partition int32, offset int64) {
		name := partitionID{topic, partition}
		was, known := r.committed[name]
		if offset < 0 || known && was == offset {
			return
		}
		r.committed[name] = offset
		if !first {
			r.seen = append(r.seen, explain.Observation{
				At: at, Source: explain.SourcePoll,
				Commit: &explain.Commit{Topic: topic, Partition: partition, Offset: offset},
			})
		}
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			take(topic.Topic, p.Partition, p.Offset)
		}
	}
	for _, g := range resp.Groups {
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				take(topic.Topic, p.Partition, p.Offset)
			}
		}
	}
}

// lookAtTopics keeps how many partitions the topics have that the group subscribes to.
func (r *recorder) lookAtTopics(ctx context.Context) {
	wanted := map[string]bool{}
	if r.last != nil {
		for _, m := range r.last.Members {
			for _, topic := range m.Topics {
				wanted[topic] = true
			}
		}
	}
	for topic := range r.sizes {
		wanted[topic] = true
	}
	if len(wanted) == 0 {
		return
	}
	at := time.Now()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	resp, err := r.metadata(ctx, sortedKeys(wanted))
	if err != nil {
		r.miss(recordedTopics, problemFrom(err, r.group, fmt.Sprintf("read how many partitions the topics of the group %q have", r.group), "DESCRIBE on its topics"))
		return
	}
	if r.sizes == nil {
		r.sizes = map[string]int{}
	}
	var hidden []string
	for _, topic := range resp.Topics {
		if topic.Topic != nil && topic.ErrorCode == kerr.TopicAuthorizationFailed.Code {
			hidden = append(hidden, *topic.Topic)
		}
		if topic.Topic == nil || topic.ErrorCode != 0 || r.sizes[*topic.Topic] == len(topic.Partitions) {
			continue
		}
		r.sizes[*topic.Topic] = len(topic.Partitions)
		r.seen = append(r.seen, explain.Observation{
			At: at, Source: explain.SourcePoll,
			Topic: &explain.TopicSize{Topic: *topic.Topic, Partitions: len(topic.Partitions)},
		})
	}
	if len(hidden) > 0 {
		// What is committed in them is left out by the coordinator.
		slices.Sort(hidden)
		doing := fmt.Sprintf("see %s, nor what the group committed there", fewOf(hidden))
		r.miss(recordedTopics, problemFrom(kerr.TopicAuthorizationFailed, r.group, doing, "DESCRIBE on the topics "+fewOf(hidden)))
	}
}
