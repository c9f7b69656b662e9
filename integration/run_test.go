package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/groupkit/groupkit/integration/cluster"
	"github.com/groupkit/groupkit/member"
)

// TestRunOnTheClassicProtocol and TestRunOnKIP848 see the same of Run on both protocols.
func TestRunOnTheClassicProtocol(t *testing.T) {
	runOn(t, cluster.Shared(t), member.ClassicProtocol)
}

// TestRunOnKIP848 has a cluster of its own, for on KIP-848 sessions and heartbeats are
// the brokers' to set, 45 s and 5 s by default.
func TestRunOnKIP848(t *testing.T) {
	c := cluster.Start(t,
		cluster.WithProperty("group.consumer.min.session.timeout.ms", "1000"), cluster.WithProperty("group.consumer.session.timeout.ms", "6000"),
		cluster.WithProperty("group.consumer.min.heartbeat.interval.ms", "100"), cluster.WithProperty("group.consumer.heartbeat.interval.ms", "300"))
	runOn(t, c, member.ConsumerProtocol)
	t.Run("processes are killed and stopped, and their coordinator with them", func(t *testing.T) { crashing(t, c) })
}

// session is the session timeout of all members here.
const session = 6 * time.Second

func runOn(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	t.Run("at once", func(t *testing.T) { // the cluster outlives all of them
		for name, see := range map[string]func(*testing.T, *cluster.Cluster, member.GroupProtocol){
			"partitions are handed over without a record twice": handedOver,
			"a static member keeps its place until it leaves":   staticPlace,
			"a duplicate instance fences exactly one":           duplicateInstance,
			"a topic that was created again is consumed again":  createdAgain,
			"handlers end before another has their partition":   selfFencing,
			"a member that is removed commits over nobody":      removedByAnAdministrator,
			"what fails is skipped, set aside or waits":         failing,
			"a handler that hangs holds up nobody for long":     hanging,
			"topics and partitions that come later are handled": growing,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				see(t, c, protocol)
			})
		}
	})
}

// handedOver has members come and go while they work: a partition is drained and committed before it is given up,
// a member that closes hands over at once, and what it handled is what it committed.
func handedOver(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	const partitions = 6
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	b := newBook()
	written := startWriter(t, c, topic)
	on := func(cfg *member.Config) { cfg.GroupProtocol = protocol }
	first := startRunner(t, c, group, topic, b, on)
	own(t, []int{6}, first)
	second := startRunner(t, c, group, topic, b, on)
	own(t, []int{3, 3}, first, second)
	third := startRunner(t, c, group, topic, b, on)
	own(t, []int{2, 2, 2}, first, second, third)
	id, _ := first.Client().GroupMetadata()
	first.close(t)
	hasLeft(t, c, group, protocol, id)
	own(t, []int{3, 3}, second, third)
	records := written()
	b.complete(t, records)
	second.close(t)
	third.close(t)
	if twice := b.twice(); len(twice) > 0 {
		t.Errorf("%d records were handled twice: %.100v", len(twice), twice)
	}
	if sum := committed(t, c, group); sum != int64(records) {
		t.Errorf("%d offsets are committed, %d records were handled", sum, records)
	}
	for _, r := range []*runner{first, second, third} {
		if r.ended(t); r.failed != nil {
			t.Errorf("Run returned %v", r.failed)
		}
	}
}

// staticPlace restarts a static member within its session: the other gives nothing up. Leave hands its partitions
// over at once.
func staticPlace(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	const partitions = 4
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	b := newBook()
	const long = 30 * time.Second // in which one comes back on a busy machine too
	if protocol == member.ConsumerProtocol {
		groupConfig(t, c, group, "consumer.session.timeout.ms", fmt.Sprint(long.Milliseconds()))
	}
	as := func(instance string) func(*member.Config) {
		return func(cfg *member.Config) {
			cfg.GroupProtocol = protocol
			cfg.Client = append(cfg.Client, kgo.InstanceID(instance))
			if protocol == member.ClassicProtocol {
				cfg.Client = append(cfg.Client, kgo.SessionTimeout(long))
			}
		}
	}
	other := startRunner(t, c, group, topic, b, as("other"))
	static := startRunner(t, c, group, topic, b, as("static"))
	own(t, []int{2, 2}, other, static)
	// Until the round that gave the partitions out is behind everybody.
	settledOn(t, c, group, protocol, 2)
	before := fmt.Sprint(owned(static))
	told := len(other.told())
	static.close(t)
	static = startRunner(t, c, group, topic, b, as("static"))
	own(t, []int{2, 2}, other, static)
	if now := fmt.Sprint(owned(static)); now != before {
		t.Errorf("it had %s and has %s", before, now)
	}
	for _, e := range other.told()[told:] {
		switch e.Kind {
		case member.EventJoining, member.EventAssigned, member.EventRevoked:
			t.Errorf("the other saw the restart: %s %v", e.Kind, e.Assigned)
		}
	}
	id, _ := static.Client().GroupMetadata()
	leaving, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := static.Leave(leaving); err != nil {
		t.Fatal(err)
	}
	hasLeft(t, c, group, protocol, id)
	own(t, []int{4}, other)
}

// hasLeft fails the test if the coordinator counts a member that has just left to the group,
// and would hand its partitions over when its session ends.
func hasLeft(t *testing.T, c *cluster.Cluster, group string, protocol member.GroupProtocol, id string) {
	t.Helper()
	if id == "" {
		t.Fatal("the member had no id")
	}
	admin := kadm.NewClient(newClient(t, c))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var members []string
	var err error
	if protocol == member.ConsumerProtocol {
		groups, failed := admin.DescribeConsumerGroups(ctx, group)
		for _, m := range groups[group].Members {
			members = append(members, m.MemberID)
		}
		err = failed
	} else {
		groups, failed := admin.DescribeGroups(ctx, group)
		for _, m := range groups[group].Members {
			members = append(members, m.MemberID)
		}
		err = failed
	}
	if err != nil || len(members) == 0 || slices.Contains(members, id) {
		t.Errorf("member %s has left, and the coordinator shows %v: %v", id, members, err)
	}
}

func owned(r *runner) (numbers []int32) {
	for _, p := range r.Partitions() {
		numbers = append(numbers, p.Partition)
	}
	return numbers
}

// settledOn waits until the brokers say that the group is stable.
func settledOn(t *testing.T, c *cluster.Cluster, group string, protocol member.GroupProtocol, members int) {
	t.Helper()
	admin := kadm.NewClient(newClient(t, c))
	eventually(t, "the group is stable", func() (bool, string) {
		if protocol == member.ConsumerProtocol {
			groups, err := admin.DescribeConsumerGroups(t.Context(), group)
			g := groups[group]
			return err == nil && g.State == "Stable" && len(g.Members) == members, fmt.Sprint(g.State, err)
		}
		groups, err := admin.DescribeGroups(t.Context(), group)
		g := groups[group]
		return err == nil && g.State == "Stable" && len(g.Members) == members, fmt.Sprint(g.State, err)
	})
}

// duplicateInstance starts a second process with the same instance id: on the classic protocol it takes the first one's place, on KIP-848
// it is refused as long as the first is there. The other one goes on undisturbed.
func duplicateInstance(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	const partitions = 2
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	b := newBook()
	configure := func(cfg *member.Config) {
		cfg.GroupProtocol = protocol
		cfg.Client = append(cfg.Client, kgo.InstanceID("double"))
	}
	first := startRunner(t, c, group, topic, b, configure)
	own(t, []int{partitions}, first)
	second := startRunner(t, c, group, topic, b, configure)
	fenced, stays, refused := first, second, 0
	if protocol == member.ConsumerProtocol {
		fenced, stays = second, first
	}
	select {
	case <-fenced.done:
	case <-time.After(patience):
		t.Fatal("nobody is fenced")
	}
	if !errors.Is(fenced.failed, member.ErrFenced) {
		t.Errorf("Run returned %v", fenced.failed)
	}
	if h := fenced.Health(); h.State != member.HealthFenced {
		t.Errorf("health: %v", h)
	}
	for _, e := range fenced.told() {
		switch {
		case e.Kind == member.EventFetchFailed:
			t.Errorf("told as a fetch that failed: %v", e.Err)
		case e.Kind == member.EventLost && errors.Is(e.Err, kerr.UnreleasedInstanceID):
			refused++
		}
	}
	if protocol == member.ConsumerProtocol && refused == 0 {
		t.Error("that it is refused is not told by EventLost")
	}
	own(t, []int{partitions}, stays)
	produce(t, c, topic, 100)
	b.complete(t, 100)
	select {
	case <-stays.done:
		t.Errorf("both are fenced: %v", stays.failed)
	default:
	}
}

// TestNothingIsLostWhileAGroupIsMovedToKIP848AndBack rolls a group of three from the
// classic protocol to KIP-848 and back, one member at a time, while records are written
// and handled.
func TestNothingIsLostWhileAGroupIsMovedToKIP848AndBack(t *testing.T) {
	const partitions, members = 6, 3
	c := cluster.Shared(t)
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	b := newBook()
	written := startWriter(t, c, topic)
	on := func(protocol member.GroupProtocol) func(*member.Config) {
		return func(cfg *member.Config) { cfg.GroupProtocol = protocol }
	}
	running := make([]*runner, members)
	for i := range running {
		running[i] = startRunner(t, c, group, topic, b, on(member.ClassicProtocol))
	}
	own(t, []int{2, 2, 2}, running...)
	groupType := func() string {
		groups, err := kadm.NewClient(newClient(t, c)).DescribeConsumerGroups(t.Context(), group)
		if err == nil {
			err = groups[group].Err
		}
		if err == nil {
			return member.ConsumerProtocol.String()
		}
		return member.ClassicProtocol.String() // of which there is nothing to describe
	}
	for _, protocol := range []member.GroupProtocol{member.ConsumerProtocol, member.ClassicProtocol} {
		for i := range running {
			running[i].close(t)
			running[i] = startRunner(t, c, group, topic, b, on(protocol))
			own(t, []int{2, 2, 2}, running...)
			before := b.distinct()
			eventually(t, "records are handled in the mixed group", func() (bool, string) {
				return b.distinct() > before+50, fmt.Sprint(b.distinct() - before)
			})
		}
		eventually(t, fmt.Sprintf("the brokers say that the group is %q, after all members speak that", protocol), func() (bool, string) {
			is := groupType()
			return is == protocol.String(), is
		})
	}
	records := written()
	b.complete(t, records)
	for _, r := range running {
		r.close(t)
	}
	if sum := committed(t, c, group); sum != int64(records) {
		t.Errorf("%d offsets are committed, %d records were written", sum, records)
	}
	t.Logf("%d records, %d of them handled twice", records, len(b.twice()))
}

// createdAgain deletes a topic under a member and
// creates it again.
func createdAgain(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	topic, group := newTopic(t, c, 2), unique(t, "group")
	b := newBook()
	r := startRunner(t, c, group, topic, b, func(cfg *member.Config) {
		cfg.GroupProtocol = protocol
		cfg.Client = append(cfg.Client, kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second))
	})
	produce(t, c, topic, 50)
	b.complete(t, 50)
	admin := kadm.NewClient(newClient(t, c))
	if _, err := admin.DeleteTopic(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	var created kadm.CreateTopicResponse
	eventually(t, "the topic is created again", func() (bool, string) {
		var err error
		created, err = admin.CreateTopic(t.Context(), 2, -1, nil, topic)
		return err == nil, fmt.Sprint(err)
	})
	// Brokers may know the one before for a while.
	for _, id := range c.NodeIDs() {
		its := kadm.NewClient(newClient(t, c, onlyNode(c, id)))
		eventually(t, fmt.Sprintf("broker %d knows the new topic", id), func() (bool, string) {
			topics, err := its.ListTopics(fresh(t), topic)
			return err == nil && topics[topic].ID == created.ID, fmt.Sprint(err, topics[topic].ID, created.ID)
		})
	}
	known(t, c, topic)
	produce(t, c, topic, 80)
	b.complete(t, 80) // 50 of them have the values of the first
	eventually(t, "the event tells", func() (bool, string) {
		return len(r.all(member.EventRecreated)) > 0, ""
	})
	eventually(t, "all of the new topic is committed", func() (bool, string) {
		sum := committed(t, c, group)
		return sum == 80, fmt.Sprint(sum)
	})
}

// selfFencing cuts a member off from the brokers: it must have ended its handlers, by
// itself, before the other has its partitions.
func selfFencing(t *testing.T, c *cluster.Cluster, protocol member.GroupProtocol) {
	const partitions = 4
	topic, group := newTopic(t, c, partitions), unique(t, "group")
	b := newBook()
	written := startWriter(t, c, topic)
	on := func(cfg *member.Config) { cfg.GroupProtocol = protocol }
	cut := startRunner(t, c, group, topic, b, on)
	other := startRunner(t, c, group, topic, b, on)
	own(t, []int{2, 2}, cut, other)
	before := b.distinct()
	eventually(t, "both work", func() (bool, string) { return b.distinct() > before+100, "" })
	was := owned(cut)
	severed := time.Now()
	cut.wire.sever()
	own(t, []int{partitions}, other)
	before = b.distinct()
	eventually(t, "the other works", func() (bool, string) { return b.distinct() > before+100, "" })
	if h := cut.Health(); h.State != member.HealthFenced {
		t.Errorf("health of the one that was cut off: %v", h)
	}
	mended := time.Now()
	cut.wire.mend()
	own(t, []int{2, 2}, cut, other)
	records := written()
	b.complete(t, records)

	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range was {
		var last, first time.Time // of the one that was cut off, of the other
		for _, call := range b.calls {
			switch {
			case call.partition != p || call.at.After(mended):
			case call.by == cut.name:
				last = call.at
			case call.at.After(severed) && first.IsZero():
				first = call.at
			}
		}
		if first.IsZero() || !last.Before(first) {
			t.Errorf("partition %d: the one that was cut off had a record at %s, the other its first at %s", p, last, first)
		}
	}
}
