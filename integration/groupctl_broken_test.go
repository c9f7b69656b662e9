package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/inspect/act"
	"github.com/groupkit/groupkit/integration/cluster"
)

// predicted is the data of groupctl impact, with the names that programs read.
type predicted struct {
	Partitions []struct {
		Topic     string
		Partition int32
		From, To  *int32
		Reason    string
	}
	Coordinators []struct {
		Group     string
		Partition int32
		From, To  *int32
	}
	Controller struct {
		From       *int32
		Candidates []int32
		Quorum     struct{ Kept *bool }
	}
	Offline []struct {
		Topic     string
		Partition int32
		Already   bool
	}
	UnderMinISR []struct {
		Topic          string
		Partition      int32
		InSync, MinISR int
	} `json:"underMinIsr"`
}

// impactOf asks groupctl what the death of a broker does, and checks the names of all
// fields: each is there, and null only where it says something.
func (g groupctl) impactOf(t *testing.T, broker int32) predicted {
	t.Helper()
	var fields map[string]any
	var p predicted
	args := []string{"impact", "--brokers-down", fmt.Sprint(broker)}
	if a := g.run(t, 0, &fields, args...); a.Schema != "groupctl/v1/impact" || len(a.Errors) > 0 {
		t.Errorf("%+v", a)
	}
	g.run(t, 0, &p, args...)
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, []string{"controller", "coordinators", "offline", "partitions", "underMinIsr"}) {
		t.Errorf("impact prints %v", got)
	}
	for part, names := range map[string][]string{
		"partitions":   {"topic", "partition", "from", "to", "reason"},
		"coordinators": {"group", "partition", "from", "to"},
		"offline":      {"topic", "partition"},
		"underMinIsr":  {"topic", "partition"},
	} {
		rows, ok := fields[part].([]any)
		if !ok || len(rows) == 0 {
			t.Fatalf("impact prints no %s: %v", part, fields)
		}
		for _, row := range rows {
			for _, name := range names {
				if _, ok := row.(map[string]any)[name]; !ok {
					t.Errorf("no %s in %s: %v", name, part, row)
				}
			}
		}
	}
	for _, name := range []string{"from", "candidates", "quorum"} {
		if fields["controller"].(map[string]any)[name] == nil {
			t.Errorf("no %s of the controller: %v", name, fields)
		}
	}
	return p
}

// electAll gives each partition back to its first replica with groupctl, which shows it
// before.
func (g groupctl) electAll(t *testing.T) {
	t.Helper()
	var rows []inspect.Partition
	eventually(t, "all replicas are in sync", func() (bool, string) {
		_, err := g.ask(t, 0, &rows, "topic", "leaders", "--under-replicated")
		return err == nil && len(rows) == 0, fmt.Sprintf("%v, %d are not", err, len(rows))
	})
	var shown, done []act.Election
	var notPreferred []inspect.Partition
	eventually(t, "the preview shows the partitions that another leads", func() (bool, string) {
		_, err := g.ask(t, 0, &shown, "elect", "preferred")
		if err == nil {
			_, err = g.ask(t, 0, &notPreferred, "topic", "leaders", "--not-preferred")
		}
		return err == nil && len(shown) == len(notPreferred), fmt.Sprintf("%v, %d and %d", err, len(shown), len(notPreferred))
	})
	g.run(t, 0, &done, "elect", "preferred", "--execute")
	for _, row := range done {
		if row.To == nil || row.Predicted == nil || *row.To != *row.Predicted {
			t.Errorf("elected %+v", row)
		}
	}
	admin := kadm.NewClient(newClient(t, g.c))
	eventually(t, "after the preferred election of all, each is led by its first replica", func() (bool, string) {
		topics, err := admin.ListTopicsWithInternal(fresh(t))
		seen, whole := fmt.Sprint(err), err == nil && len(topics) > 0
		topics.EachPartition(func(p kadm.PartitionDetail) {
			if p.Leader != p.Replicas[0] {
				seen, whole = fmt.Sprintf("%s-%d of %v is led by %d", p.Topic, p.Partition, p.Replicas, p.Leader), false
			}
		})
		if !whole { // the broker that was asked for the preview may not have known of all
			_, err = g.ask(t, 0, nil, "elect", "preferred", "--execute")
			seen = fmt.Sprint(seen, ", ", err)
		}
		return whole, seen
	})
	eventually(t, "no election is needed", func() (bool, string) {
		_, err := g.ask(t, 0, &shown, "elect", "preferred")
		return err == nil && len(shown) == 0, fmt.Sprintf("%v, %+v", err, shown)
	})
}

// fresh has kadm ask for metadata, and not take what it has of the last seconds.
func fresh(t *testing.T) context.Context { return kadm.WithAuthorizedOps(t.Context()) }

// groupOn commits an offset in a group that the broker coordinates, and returns its name.
func groupOn(t *testing.T, c *cluster.Cluster, topic string, broker int32) string {
	t.Helper()
	client := newClient(t, c)
	in := inspect.New(client, inspect.CreateInternalTopics())
	var candidates []string
	prefix := unique(t, "group")
	for n := range 40 {
		candidates = append(candidates, fmt.Sprintf("%s-%d", prefix, n))
	}
	var found string
	eventually(t, fmt.Sprintf("broker %d coordinates a group", broker), func() (bool, string) {
		answer, err := in.Coordinators(t.Context(), candidates...)
		for _, row := range answer.Data {
			if row.Coordinator != nil && *row.Coordinator == broker {
				found = row.Name
			}
		}
		return found != "", fmt.Sprint(err, answer.Err())
	})
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 0, 0, -1)
	if err := commitOffsets(t.Context(), kadm.NewClient(client), found, offsets); err != nil {
		t.Fatal(err)
	}
	return found
}

// happened holds what groupctl predicted of some topics and a group to what their
// brokers say, through another client.
func (p predicted) happened(t *testing.T, c *cluster.Cluster, before, after kadm.TopicDetails, group string, broker int32) {
	t.Helper()
	changes := 0
	after.EachPartition(func(now kadm.PartitionDetail) {
		was := before[now.Topic].Partitions[now.Partition].Leader
		to := was
		for _, change := range p.Partitions {
			if change.Topic == now.Topic && change.Partition == now.Partition {
				changes++
				to = -1
				if change.To != nil {
					to = *change.To
				}
				if change.From == nil || *change.From != was || change.Reason == "" {
					t.Errorf("predicted %+v, and it was led by %d", change, was)
				}
			}
		}
		if now.Leader != to {
			t.Errorf("%s-%d is led by %d, and %d was predicted", now.Topic, now.Partition, now.Leader, to)
		}
	})
	if changes == 0 {
		t.Errorf("no change was predicted: %+v", p)
	}
	var offline, below, wantOffline, wantBelow []string
	for _, row := range p.Offline {
		if after.Has(row.Topic) {
			offline = append(offline, fmt.Sprintf("%s-%d", row.Topic, row.Partition))
		}
	}
	for _, row := range p.UnderMinISR {
		if after.Has(row.Topic) {
			below = append(below, fmt.Sprintf("%s-%d", row.Topic, row.Partition))
		}
	}
	after.EachPartition(func(now kadm.PartitionDetail) {
		id := fmt.Sprintf("%s-%d", now.Topic, now.Partition)
		if now.Leader < 0 {
			wantOffline = append(wantOffline, id)
		}
		if len(now.ISR) < 2 {
			wantBelow = append(wantBelow, id)
		}
	})
	for _, list := range [][]string{offline, below, wantOffline, wantBelow} {
		slices.Sort(list)
	}
	if !slices.Equal(offline, wantOffline) || !slices.Equal(below, wantBelow) {
		t.Errorf("predicted offline %v, and below min.insync.replicas %v; they are %v and %v", offline, below, wantOffline, wantBelow)
	}
	eventually(t, "the group has the coordinator that was predicted", func() (bool, string) {
		named := kadm.NewClient(newClient(t, c)).FindGroupCoordinators(t.Context(), group)[group]
		for _, change := range p.Coordinators {
			if change.Group == group && change.To != nil {
				return named.Err == nil && named.NodeID == *change.To, fmt.Sprintf("%v: %d, predicted %d", named.Err, named.NodeID, *change.To)
			}
		}
		return false, fmt.Sprintf("predicted %+v", p.Coordinators)
	})
	if p.Controller.Quorum.Kept == nil || !*p.Controller.Quorum.Kept {
		t.Errorf("the quorum of three without one: %+v", p.Controller)
	}
	if len(p.Controller.Candidates) == 0 || slices.Contains(p.Controller.Candidates, broker) {
		t.Errorf("broker %d is dead, and the controllers are %+v", broker, p.Controller)
	}
}

// findsWhatIsNotWell holds the partitions that groupctl finds by each flag to those that
// kadm's metadata show, among some topics whose min.insync.replicas is 2.
func (g groupctl) findsWhatIsNotWell(t *testing.T, wanted ...string) kadm.TopicDetails {
	t.Helper()
	admin := kadm.NewClient(newClient(t, g.c))
	var topics kadm.TopicDetails
	for flag, holds := range map[string]func(kadm.PartitionDetail) bool{
		"--not-preferred":    func(p kadm.PartitionDetail) bool { return p.Leader != p.Replicas[0] },
		"--under-replicated": func(p kadm.PartitionDetail) bool { return len(p.ISR) < len(p.Replicas) },
		"--under-min-isr":    func(p kadm.PartitionDetail) bool { return len(p.ISR) < 2 },
		"--offline":          func(p kadm.PartitionDetail) bool { return p.Leader < 0 },
	} {
		eventually(t, "groupctl topic leaders "+flag+" shows what kadm does", func() (bool, string) {
			var err error
			if topics, err = admin.ListTopics(fresh(t), wanted...); err != nil {
				return false, err.Error()
			}
			var want, got []string
			topics.EachPartition(func(p kadm.PartitionDetail) {
				if holds(p) {
					want = append(want, fmt.Sprintf("%s-%d", p.Topic, p.Partition))
				}
			})
			var rows []inspect.Partition
			if _, err := g.ask(t, 0, &rows, "topic", "leaders", flag); err != nil {
				return false, err.Error()
			}
			for _, p := range rows {
				if slices.Contains(wanted, p.Topic) {
					got = append(got, fmt.Sprintf("%s-%d", p.Topic, p.Partition))
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			return len(want) > 0 && slices.Equal(got, want), fmt.Sprintf("shown %v, want %v", got, want)
		})
	}
	return topics
}
