package integration

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/watch"
	"github.com/groupkit/groupkit/integration/cluster"
)

// leaderChangeOf finds the election in which a partition got a leader, nil for none.
func leaderChangeOf(topic string, partition int32, to *int32) func(watch.Event) bool {
	return func(e watch.Event) bool {
		if e.Leader == nil || e.Leader.Topic != topic || e.Leader.Partition != partition {
			return false
		}
		return to == nil && e.Leader.To == nil || to != nil && e.Leader.To != nil && *to == *e.Leader.To
	}
}

func newControllersClient(t *testing.T, c *cluster.Cluster) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenerSeeds("CONTROLLER")...), kgo.DialTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// showsController asks all controllers all the time, and returns when one says that it
// leads in an epoch after that given.
func showsController(t *testing.T, c *cluster.Cluster, epoch int32) <-chan time.Time {
	t.Helper()
	shown := make(chan time.Time, 9)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	var asking sync.WaitGroup
	for _, seed := range newControllersClient(t, c).SeedBrokers() {
		asking.Go(func() {
			for ctx.Err() == nil {
				req := kmsg.NewPtrDescribeQuorumRequest()
				topic := kmsg.NewDescribeQuorumRequestTopic()
				topic.Topic, topic.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{{}}
				req.Topics = append(req.Topics, topic)
				if resp, err := seed.Request(ctx, req); err == nil {
					answer := resp.(*kmsg.DescribeQuorumResponse)
					if len(answer.Topics) == 1 && answer.Topics[0].Partitions[0].ErrorCode == 0 && answer.Topics[0].Partitions[0].LeaderEpoch > epoch {
						shown <- time.Now()
						return
					}
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	t.Cleanup(func() { cancel(); asking.Wait() })
	return shown
}

// TestWatchTellsElectionsWithTheirCauses brings about elections of each cause on a
// cluster of its own, and holds how soon each is told to when brokers' metadata show it.
// Members of a group join and leave while brokers are down and when they are back.
func TestWatchTellsElectionsWithTheirCauses(t *testing.T) {
	c := cluster.Start(t, cluster.WithNodes(5), cluster.WithControllersPublished(), cluster.WithProperty("auto.leader.rebalance.enable", "false"))
	client := newClient(t, c)
	admin := kadm.NewClient(client)
	controller := controllerOf(t, inspect.New(client), func(inspect.Controller) bool { return true }, patience)
	// The nodes that are not the controller.
	var nodes []int32
	for _, id := range c.NodeIDs() {
		if id != *controller.Node {
			nodes = append(nodes, id)
		}
	}
	a, b, other, last := nodes[0], nodes[1], nodes[2], nodes[3]
	topic := newPlacedTopic(t, c, [][]int32{{a, b, other}, {b, other, a}, {other, a, b}})
	lossy := newPlacedTopic(t, c, [][]int32{{a, last}})
	if _, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "min.insync.replicas", Value: kmsg.StringPtr("1")}}, lossy); err != nil {
		t.Fatal(err)
	}
	// A group whose coordinator is the first to be killed.
	var group string
	eventually(t, "a group is coordinated by a broker of choice", func() (bool, string) {
		group = unique(t, "group")
		found, err := inspect.New(client, inspect.CreateInternalTopics()).Coordinators(t.Context(), group)
		return err == nil && len(found.Data) == 1 && found.Data[0].Leader != nil && *found.Data[0].Leader == a, fmt.Sprint(found.Err())
	})
	startReader(t, c, group, topic)
	w := startWatch(t, c, inspect.Watched{})
	w.await(t, "there are brokers and partitions", func(e watch.Event) bool { return e.Snapshot != nil && len(e.Snapshot.Brokers) == 5 })
	w.await(t, "there is a controller", func(e watch.Event) bool { return e.Snapshot != nil && e.Snapshot.Controller != nil })
	w.await(t, "there is the group", func(e watch.Event) bool {
		known := e.Group != nil && e.Group.Group == group
		return known || e.Snapshot != nil && slices.ContainsFunc(e.Snapshot.Groups, func(g watch.Group) bool { return g.Group == group })
	})
	observed := observeMetadata(t, c, topic, lossy, "__consumer_offsets")
	guests := newGuests(t, c, w, group, topic)

	// A broker is killed, and comes back, and is given its partitions.
	revive := kill(t, c, a)
	e := w.await(t, "another broker leads in place of a killed one", leaderChangeOf(topic, 0, &b))
	if e.Leader.Cause != watch.CauseBrokerGone || e.Leader.Unseen != 0 || *e.Leader.ToEpoch != *e.Leader.FromEpoch+1 {
		t.Errorf("%+v", e.Leader)
	}
	observed.late(t, e, "%d leads %s-0", b, topic)
	e = w.await(t, "the broker is gone", func(e watch.Event) bool { return e.Broker != nil && e.Broker.Node == a && !e.Broker.Up })
	observed.late(t, e, "broker %d is up: false", a)
	moved := w.await(t, "the coordinator moved", func(e watch.Event) bool {
		return e.Coordinator != nil && e.Coordinator.Group == group && e.Coordinator.From != nil && *e.Coordinator.From == a
	})
	if moved.Coordinator.Cause != watch.CauseBrokerGone || moved.Coordinator.To == nil {
		t.Errorf("%+v", moved.Coordinator)
	}
	observed.late(t, moved, "%d leads __consumer_offsets-%d", *moved.Coordinator.To, moved.Coordinator.Partition)
	e = w.await(t, "it left the ISR", func(e watch.Event) bool {
		return e.ISR != nil && e.ISR.Topic == topic && e.ISR.Partition == 0 && slices.Contains(e.ISR.Left, a)
	})
	observed.late(t, e, "%d is in sync in %s-0: false", a, topic)
	guests.joins()
	revive()
	e = w.await(t, "the broker is back", func(e watch.Event) bool { return e.Broker != nil && e.Broker.Node == a && e.Broker.Up })
	observed.late(t, e, "broker %d is up: true", a)
	e = w.await(t, "it joined the ISR", func(e watch.Event) bool {
		return e.ISR != nil && e.ISR.Topic == topic && e.ISR.Partition == 0 && slices.Contains(e.ISR.Joined, a)
	})
	observed.late(t, e, "%d is in sync in %s-0: true", a, topic)
	guests.leaves()
	var asked kadm.TopicsSet
	asked.Add(topic, 0)
	if _, err := admin.ElectLeaders(t.Context(), kadm.ElectPreferredReplica, asked); err != nil {
		t.Fatal(err)
	}
	e = w.await(t, "the first replica leads again", leaderChangeOf(topic, 0, &a))
	if e.Leader.Cause != watch.CausePreferred {
		t.Errorf("%+v", e.Leader)
	}
	observed.late(t, e, "%d leads %s-0", a, topic)

	// A partition is moved away from its leader.
	var moves kadm.AlterPartitionAssignmentsReq
	moves.Assign(topic, 2, []int32{b, a})
	if _, err := admin.AlterPartitionAssignments(t.Context(), moves); err != nil {
		t.Fatal(err)
	}
	e = w.await(t, "a partition that was moved has another leader", func(e watch.Event) bool {
		return e.Leader != nil && e.Leader.Topic == topic && e.Leader.Partition == 2
	})
	if e.Leader.Cause != watch.CauseReassignment {
		t.Errorf("%+v", e.Leader)
	}
	observed.late(t, e, "%d leads %s-2", *e.Leader.To, topic)

	// A partition loses the last that is in sync, and is given to one that is not.
	reviveLast := kill(t, c, last)
	w.await(t, "one is left in sync", func(e watch.Event) bool {
		return e.ISR != nil && e.ISR.Topic == lossy && slices.Equal(e.ISR.ISR, []int32{a}) && slices.Contains(e.ISR.Left, last)
	})
	if err := newClient(t, c).ProduceSync(t.Context(), &kgo.Record{Topic: lossy, Value: []byte("lost")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	guests.joins() // with another broker dead, the group's log may lack replicas to be written
	reviveA := kill(t, c, a)
	e = w.await(t, "none can lead", leaderChangeOf(lossy, 0, nil))
	observed.late(t, e, "-1 leads %s-0", lossy)
	reviveLast()
	w.await(t, "the other is up again", func(e watch.Event) bool { return e.Broker != nil && e.Broker.Node == last && e.Broker.Up })
	asked = kadm.TopicsSet{}
	asked.Add(lossy, 0)
	eventually(t, "an unclean election is held", func() (bool, string) {
		results, err := admin.ElectLeaders(t.Context(), kadm.ElectLiveReplica, asked)
		if err != nil {
			return false, err.Error()
		}
		return results[lossy][0].Err == nil, fmt.Sprint(results[lossy][0].Err)
	})
	e = w.await(t, "one that was not in sync leads", func(e watch.Event) bool {
		return leaderChangeOf(lossy, 0, &last)(e) && e.Leader.From == nil
	})
	if e.Leader.Cause != watch.CauseUnclean {
		t.Errorf("%+v", e.Leader)
	}
	observed.late(t, e, "%d leads %s-0", last, lossy)
	reviveA()
	guests.leaves()

	// The controller dies. Who asks the controllers hears of the next one from itself. A
	// busy machine may have had another take its place before.
	controller = controllerOf(t, inspect.New(client), func(inspect.Controller) bool { return true }, patience)
	direct := startWatch(t, c, inspect.Watched{Elections: true, Topics: []string{topic}, Controllers: newControllersClient(t, c)})
	direct.await(t, "there is a controller", func(e watch.Event) bool { return e.Snapshot != nil && e.Snapshot.Controller != nil })
	later := func(e watch.Event) bool {
		return e.Controller != nil && e.Controller.To != nil && e.Controller.ToEpoch != nil && *e.Controller.ToEpoch > *controller.Epoch
	}
	shown := showsController(t, c, *controller.Epoch)
	reviveController := kill(t, c, *controller.Node)
	killed := time.Now()
	e = direct.await(t, "another is the controller, as controllers say", later)
	select {
	case at := <-shown:
		observed.delays.hold(t, e, "the controller, from controllers", at)
	case <-time.After(patience):
		t.Error("no controller says that it is one")
	}
	t.Logf("a killed controller, from controllers: told %v after it was killed", e.At.Sub(killed).Round(time.Millisecond))
	e = w.await(t, "another is the controller", later)
	t.Logf("a killed controller: told %v after it was killed", e.At.Sub(killed).Round(time.Millisecond))
	guests.joins()
	reviveController()
	guests.leaves()
	guests.check()

	// Nothing is told twice: each election of a partition has an epoch of its own.
	told := map[string]bool{}
	for _, e := range w.all(func(e watch.Event) bool { return e.Leader != nil }) {
		key := fmt.Sprintf("%s-%d at %d", e.Leader.Topic, e.Leader.Partition, *e.Leader.ToEpoch)
		if told[key] {
			t.Errorf("%s is told twice", key)
		}
		told[key] = true
	}
}

// guests are members that join a group and leave it while brokers come and go.
type guests struct {
	t            *testing.T
	c            *cluster.Cluster
	w            *watchedEvents
	group, topic string
	n            int
	guest        *reader
}

func newGuests(t *testing.T, c *cluster.Cluster, w *watchedEvents, group, topic string) *guests {
	return &guests{t: t, c: c, w: w, group: group, topic: topic}
}

func (g *guests) joins() {
	g.t.Helper()
	g.n++
	g.guest = startReader(g.t, g.c, g.group, g.topic, kgo.ClientID(g.name()))
	g.w.await(g.t, g.name()+" joined", func(e watch.Event) bool {
		return e.Generation != nil && e.Generation.Group == g.group && slices.ContainsFunc(e.Generation.Joined, g.is)
	})
}

func (g *guests) leaves() {
	g.t.Helper()
	g.guest.leave()
	g.w.await(g.t, g.name()+" left", func(e watch.Event) bool {
		return e.Generation != nil && e.Generation.Group == g.group && slices.ContainsFunc(e.Generation.Left, g.is)
	})
}

func (g *guests) name() string              { return fmt.Sprintf("guest-%d", g.n) }
func (g *guests) is(m watch.MemberRef) bool { return m.ClientID == g.name() }

// check holds all that was told of the group to what it began with: nobody joins or leaves
// twice, no generation is told twice, and none is left out without being counted.
func (g *guests) check() {
	g.t.Helper()
	members := map[string]bool{}
	var last *int32
	logged, polled := 0, 0
	for _, e := range g.w.all(func(watch.Event) bool { return true }) {
		switch {
		case e.Snapshot != nil:
			for _, of := range e.Snapshot.Groups {
				for _, m := range of.Members {
					if of.Group == g.group {
						members[m.ID] = true
					}
				}
			}
		case e.Group != nil && e.Group.Group == g.group:
			for _, m := range e.Group.Joined {
				members[m.ID] = true
			}
			if e.Group.To == nil {
				g.t.Errorf("the group was there all the while, and is told to be gone: %+v", e)
			}
		case e.Generation != nil && e.Generation.Group == g.group:
			c := e.Generation
			for _, m := range c.Joined {
				if members[m.ID] {
					g.t.Errorf("%s joins twice: %+v", m.ID, c)
				}
				members[m.ID] = true
			}
			for _, m := range c.Left {
				if !members[m.ID] {
					g.t.Errorf("%s leaves, and was not there: %+v", m.ID, c)
				}
				delete(members, m.ID)
			}
			if len(members) != c.Members {
				g.t.Errorf("%d members are told in all, and %d in %+v", len(members), c.Members, c)
			}
			if c.Source == watch.SourceLog {
				logged++
			} else {
				polled++
			}
			if c.To != nil {
				if last != nil && (*c.To <= *last || c.From != nil && *c.From < *last) {
					g.t.Errorf("after generation %d: %+v", *last, c)
				}
				last = c.To
			}
		}
	}
	g.t.Logf("%d generations told from the log and %d from looks, while brokers came and went", logged, polled)
	if len(members) != 1 {
		g.t.Errorf("%v are left by what was told, want one member", members)
	}
}
