package inspect

import (
	"context"
	"errors"
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
)

// recorder asks the coordinator of one group again and again, and keeps what changed.
type recorder struct {
	*Inspector
	group   string
	seen    []explain.Observation
	problem *Problem // why the group could not be looked at, of the last look
	absent  bool     // at the last look

	coordinator *int32
	groupType   string
	committed   map[partitionName]int64
	sizes       map[string]int
	// last is the last look, and again the same where the one before was like it.
	last, again *watch.Group
}

func (r *recorder) run(ctx context.Context, lasts time.Duration) {
	began := time.Now()
	for n := 0; ; n++ {
		at := time.Now()
		r.look(ctx)
		r.lookAtCommits(ctx)
		if n%4 == 0 {
			r.lookAtTopics(ctx)
		}
		next := at.Add(recordEvery)
		if next.Sub(began) > lasts || len(r.seen) > mostRecorded || !pause(ctx, time.Until(next)) {
			return
		}
	}
}

// find asks who coordinates the group. Where that could create __consumer_offsets there
// is no group.
func (r *recorder) find(ctx context.Context) error {
	topic, _, err := r.offsetsTopic(ctx)
	if err != nil {
		return err
	}
	if topic.absent {
		return kerr.GroupIDNotFound
	}
	found := r.findCoordinators(ctx, []string{r.group})[r.group]
	if found.problem != nil {
		return *found.problem
	}
	r.coordinator = found.node
	return nil
}

func (r *recorder) look(ctx context.Context) {
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
		ctx, cancel := step(ctx, 0.5)
		req := describeRequest(groupType, []string{r.group})
		resp, err := oneBroker[kmsg.Response](ctx, r.Inspector, *r.coordinator, req)
		err = r.unsupportedAs(ctx, *r.coordinator, req.Key(), err)
		cancel()
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
	r.coordinator = nil
	if p, ok := errors.AsType[Problem](err); ok {
		r.problem = &p
		return
	}
	p := descriptionProblem(err, r.group)
	r.problem = &p
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
	ctx, cancel := step(ctx, 0.5)
	defer cancel()
	resp, err := oneBroker[*kmsg.OffsetFetchResponse](ctx, r.Inspector, *r.coordinator, batchedOffsetFetch{req})
	if err != nil {
		return
	}
	first := r.committed == nil
	if first {
		r.committed = map[partitionName]int64{}
	}
	take := func(topic string, partition int32, offset int64) {
		name := partitionName{topic, partition}
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
	ctx, cancel := step(ctx, 0.5)
	defer cancel()
	resp, err := r.metadata(ctx, sortedKeys(wanted))
	if err != nil {
		return
	}
	if r.sizes == nil {
		r.sizes = map[string]int{}
	}
	for _, topic := range resp.Topics {
		if topic.Topic == nil || topic.ErrorCode != 0 || r.sizes[*topic.Topic] == len(topic.Partitions) {
			continue
		}
		r.sizes[*topic.Topic] = len(topic.Partitions)
		r.seen = append(r.seen, explain.Observation{
			At: at, Source: explain.SourcePoll,
			Topic: &explain.TopicSize{Topic: *topic.Topic, Partitions: len(topic.Partitions)},
		})
	}
}
