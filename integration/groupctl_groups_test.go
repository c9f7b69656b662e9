package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/groupkit/groupkit/inspect"
	"github.com/groupkit/groupkit/integration/cluster"
)

// groupsOfAllTypes are four groups that read the same topic: two classic members, two
// of KIP-848, a share group's, and a streams group's.
type groupsOfAllTypes struct {
	topic                             string
	classic, consumer, share, streams string
	first, second                     *reader // of the classic group; the first leads
}

func startGroupsOfAllTypes(t *testing.T, c *cluster.Cluster) groupsOfAllTypes {
	t.Helper()
	g := groupsOfAllTypes{
		topic: newTopic(t, c, 4), classic: unique(t, "classic"), consumer: unique(t, "consumer"),
		share: unique(t, "share"), streams: unique(t, "streams"),
	}
	produceTo(t, c, g.topic, map[int32]int{0: 5, 1: 3})
	lazy := kgo.DisableAutoCommit()
	eager := kgo.Balancers(kgo.RangeBalancer()) // who joins then makes one generation, not two
	g.first = startReader(t, c, g.classic, g.topic, lazy, eager, kgo.ClientID("worker-a"), kgo.Rack("rack-1"))
	settled(t, c, g.classic, g.topic, 1, 4)
	g.second = startReader(t, c, g.classic, g.topic, lazy, eager, kgo.ClientID("worker-b"), kgo.Rack("rack-2"))
	settled(t, c, g.classic, g.topic, 2, 4)
	for _, rack := range []string{"rack-1", "rack-2"} {
		startReader(t, c, g.consumer, g.topic, lazy, kgo.ServerSideBalancer(), kgo.ClientID("settler"), kgo.Rack(rack))
	}
	sharer := newClient(t, c, kgo.ShareGroup(g.share), kgo.ConsumeTopics(g.topic), kgo.ClientID("picker"), kgo.Rack("rack-3"))
	polling, stop := context.WithCancel(context.Background())
	polled := make(chan struct{})
	go func() {
		defer close(polled)
		for polling.Err() == nil {
			sharer.PollFetches(polling)
		}
	}()
	t.Cleanup(func() { stop(); <-polled })
	startStreamsMember(t, c, g.streams, g.topic)
	members := map[string]int{g.classic: 2, g.consumer: 2, g.share: 1, g.streams: 1}
	eventually(t, "groups of all types are stable", func() (bool, string) {
		for group, want := range members {
			rows, seen := groupsIfAny(t, c, group)
			if len(rows) != 1 || *rows[0].State != "Stable" || len(rows[0].Members) != want {
				return false, seen
			}
			total := 0
			for _, m := range rows[0].Members {
				for _, tp := range m.Assigned {
					total += len(tp.Partitions)
				}
			}
			if total != 4 {
				return false, seen
			}
		}
		return true, ""
	})
	return g
}

// TestGroupctlShowsGroupsOfAllTypesInFull holds what is listed and described of groups of
// the four types to what their members and kadm say, with the names that programs read.
func TestGroupctlShowsGroupsOfAllTypesInFull(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	ctl := buildGroupctl(t, c)
	g := startGroupsOfAllTypes(t, c)
	types := map[string]string{g.classic: "classic", g.consumer: "consumer", g.share: "share", g.streams: "streams"}

	// Other tests delete groups while all are listed, which makes an answer partial.
	eventually(t, "all are listed with their types", func() (bool, string) {
		out, err := ctl.try(t, "group", "list", "--lag")
		found := map[string]string{}
		for line := range strings.Lines(out) {
			if cells := strings.Fields(line); len(cells) > 2 && types[cells[0]] != "" && cells[2] == "Stable" {
				found[cells[0]] = cells[1]
			}
		}
		return err == nil && maps.Equal(found, types), out
	})
	eventually(t, "some are listed by type and state", func() (bool, string) {
		out, err := exec.CommandContext(t.Context(), ctl.path, "-b", strings.Join(c.Seeds(), ","), "-o", "json", "group", "list", "--type", "share,streams", "--state", "stable").Output()
		var listed struct{ Data []inspect.Group }
		if err := errors.Join(err, json.Unmarshal(out, &listed)); err != nil {
			return false, err.Error()
		}
		found := map[string]string{}
		for _, row := range listed.Data {
			if *row.Type != "share" && *row.Type != "streams" {
				t.Errorf("listed %+v", row)
			}
			if types[row.Group] != "" && *row.State == "Stable" { // others' may have changed since they were listed
				found[row.Group] = *row.Type
			}
		}
		return maps.Equal(found, map[string]string{g.share: "share", g.streams: "streams"}), fmt.Sprint(found)
	})

	commitAsMember(t, g.first, g.topic, g.classic, map[int32]int64{0: 2, 1: 3})
	for group, kind := range types {
		fields := ctl.fields(t, group)
		for _, name := range []string{"type", "state", "since", "lag", "coordinator"} {
			if fields[name] == nil {
				t.Errorf("no %s of the %s group: %v", name, kind, fields)
			}
		}
		if fields["type"] != kind || (fields["leader"] != nil) != (kind == "classic") || (fields["epoch"] != nil) == (kind == "classic") {
			t.Errorf("the %s group: %v", kind, fields)
		}
		for _, m := range fields["members"].([]any) {
			member := m.(map[string]any)
			for _, name := range []string{"rack", "leader", "owned", "target", "lag"} {
				if _, ok := member[name]; !ok {
					t.Errorf("no %s of a member of the %s group: %v", name, kind, member)
				}
			}
			rack, _ := member["rack"].(string)
			if !strings.HasPrefix(rack, "rack-") || member["assigned"] == nil || kind == "consumer" && member["target"] == nil {
				t.Errorf("a member of the %s group: %v", kind, member)
			}
		}
	}

	described, _ := ctl.describe(t, g.classic)
	leader, generation := g.first.is(t, g.second)
	if described.Leader == nil || *described.Leader != leader || *described.Generation != generation || *described.Assignor != "range" {
		t.Errorf("%+v, want leader %s and generation %d", described, leader, generation)
	}
	lags, err := kadm.NewClient(newClient(t, c)).Lag(t.Context(), g.classic)
	if err != nil {
		t.Fatal(err)
	}
	want, members := int64(0), int64(0)
	for _, p := range lags[g.classic].Lag[g.topic] {
		if p.Commit.At >= 0 {
			want += p.Lag
		}
	}
	for _, m := range described.Members {
		if m.Lag != nil {
			members += *m.Lag
		}
		if (m.ClientID == "worker-a") != *m.Leader || m.Rack == nil || (*m.Rack == "rack-1") != (m.ClientID == "worker-a") {
			t.Errorf("member %+v", m)
		}
	}
	if described.Lag.Records != want || members != want || want != 3 || described.Lag.Uncommitted != 2 {
		t.Errorf("lag %d, of members %d, and kadm says %d: %+v", described.Lag.Records, members, want, described.Lag)
	}
	ctl.fitsATerminal(t, g, leader)
}

// commitAsMember commits as a member of the classic group in its generation.
func commitAsMember(t *testing.T, member *reader, topic, group string, offsets map[int32]int64) {
	t.Helper()
	eventually(t, "the member commits", func() (bool, string) {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group = group
		req.MemberID, req.Generation = member.client.GroupMetadata()
		rt := kmsg.NewOffsetCommitRequestTopic()
		rt.Topic = topic
		if metadata, err := kadm.NewClient(member.client).Metadata(t.Context(), topic); err == nil {
			rt.TopicID = metadata.Topics[topic].ID
		}
		for p, at := range offsets {
			rp := kmsg.NewOffsetCommitRequestTopicPartition()
			rp.Partition, rp.Offset = p, at
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(t.Context(), member.client)
		if err != nil {
			return false, err.Error()
		}
		for _, p := range resp.Topics[0].Partitions {
			if p.ErrorCode != 0 {
				return false, fmt.Sprintf("error %d", p.ErrorCode)
			}
		}
		return true, ""
	})
}

// fields describes a group as programs see it.
func (g groupctl) fields(t *testing.T, group string) map[string]any {
	t.Helper()
	var rows []map[string]any
	g.run(t, 0, &rows, "group", "describe", group)
	if len(rows) != 1 {
		t.Fatalf("%v", rows)
	}
	return rows[0]
}

// fitsATerminal looks at the tables as a person does: the leader is marked, ids are
// shortened to their beginnings, and nothing is wide but names.
func (g groupctl) fitsATerminal(t *testing.T, of groupsOfAllTypes, leader string) {
	t.Helper()
	out, err := g.try(t, "group", "describe", of.classic)
	if err != nil {
		t.Fatal(err, out)
	}
	short := leader[:len("worker-a-12345678")]
	if strings.Contains(out, leader) || !strings.Contains(out, short+"  yes    ") || strings.Contains(out, "LOST") {
		t.Errorf("the leader is %s:\n%s", leader, out)
	}
	for line := range strings.Lines(strings.NewReplacer(of.classic, "group", of.topic, "topic").Replace(out)) {
		if len(strings.TrimRight(line, " \n")) > 100+len(of.classic) {
			t.Errorf("a line of %d: %s", len(line), line)
		}
	}
	wide, err := g.try(t, "-o", "wide", "group", "describe", of.classic)
	if err != nil || !strings.Contains(wide, leader) || !strings.Contains(wide, "OFFSETS-PARTITION") || !strings.Contains(wide, "LOST") {
		t.Errorf("%v, -o wide:\n%s", err, wide)
	}
}

// TestGroupctlDumpsTheHistoryOfGroups holds the history of groups to what their members saw.
func TestGroupctlDumpsTheHistoryOfGroups(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	ctl := buildGroupctl(t, c)
	g := startGroupsOfAllTypes(t, c)
	leader, last := g.first.is(t, g.second)
	other, _ := g.second.is(t)
	commitAsMember(t, g.second, g.topic, g.classic, map[int32]int64{1: 3})

	history := func(group string) (inspect.OffsetsHistory, map[inspect.LogKind]int) {
		t.Helper()
		var h inspect.OffsetsHistory
		if a := ctl.run(t, 0, &h, "offsets", "dump", group, "--limit", "0"); a.Schema != "groupctl/v1/offsets-dump" || len(a.Errors) > 0 {
			t.Errorf("%+v", a)
		}
		kinds := map[inspect.LogKind]int{}
		for i, e := range h.Entries {
			kinds[e.Kind]++
			if i > 0 && e.Offset <= h.Entries[i-1].Offset {
				t.Errorf("entry %+v follows on %+v", e, h.Entries[i-1])
			}
		}
		return h, kinds
	}
	h, _ := history(g.classic)
	var generations []*inspect.LoggedGeneration
	var commit *inspect.LoggedCommit
	for _, e := range h.Entries {
		if e.Generation != nil {
			generations = append(generations, e.Generation)
		}
		if e.Commit != nil {
			commit = e.Commit
		}
	}
	now := generations[len(generations)-1]
	ids := []string{}
	for _, m := range now.Members {
		ids = append(ids, m.ID)
	}
	if now.Generation != last || now.Leader == nil || *now.Leader != leader || !slices.Contains(ids, leader) || !slices.Contains(ids, other) || len(ids) != 2 {
		t.Errorf("the last generation is %+v, want %d of %s and %s", now, last, leader, other)
	}
	joined := 0
	for i, generation := range generations {
		if i > 0 && generation.Generation < generations[i-1].Generation {
			t.Errorf("generation %+v follows on %+v", generation, generations[i-1])
		}
		if slices.Contains(generation.Joined, other) {
			joined++
		}
	}
	if joined != 1 || commit == nil || commit.Topic != g.topic || commit.Partition != 1 || commit.Offset == nil || *commit.Offset != 3 {
		t.Errorf("the second member joined %d times, and committed %+v", joined, commit)
	}
	for group, want := range map[string][]inspect.LogKind{
		g.consumer: {inspect.LogEpoch, inspect.LogMember, inspect.LogTargetEpoch, inspect.LogTarget, inspect.LogCurrent},
		g.share:    {inspect.LogEpoch, inspect.LogMember, inspect.LogTargetEpoch, inspect.LogTarget, inspect.LogCurrent, inspect.LogShareState},
		g.streams:  {inspect.LogEpoch, inspect.LogMember, inspect.LogTargetEpoch, inspect.LogTarget, inspect.LogCurrent, inspect.LogTopology},
	} {
		eventually(t, "the whole history of "+group, func() (bool, string) {
			_, kinds := history(group)
			return !slices.ContainsFunc(want, func(kind inspect.LogKind) bool { return kinds[kind] == 0 }), fmt.Sprint(kinds)
		})
	}

	out, err := ctl.try(t, "offsets", "dump", g.classic, "--kind", "generation")
	if err != nil || !strings.Contains(out, fmt.Sprintf("generation  %d, 2 members, led by %s with range", last, leader[:len("worker-a-12345678")])) {
		t.Errorf("%v, want generation %d of %s in\n%s", err, last, leader, out)
	}
	ctl.run(t, 3, nil, "offsets", "dump", unique(t, "missing"))
}

// TestGroupctlNamesTheCoordinatorsOfTransactionsAndShares holds them to what the brokers
// name when kadm asks.
func TestGroupctlNamesTheCoordinatorsOfTransactionsAndShares(t *testing.T) {
	t.Parallel()
	c := cluster.Shared(t)
	ctl := buildGroupctl(t, c)
	topic, id, group := newTopic(t, c, 2), unique(t, "transaction"), unique(t, "group")
	admin := kadm.NewClient(newClient(t, c))
	var topicID kadm.TopicID
	eventually(t, "the topic has an id", func() (bool, string) {
		metadata, err := admin.Metadata(t.Context(), topic)
		topicID = metadata.Topics[topic].ID
		return topicID != kadm.TopicID{}, fmt.Sprint(err)
	})
	key := fmt.Sprintf("%s:%s:1", group, base64.RawURLEncoding.EncodeToString(topicID[:]))
	for _, test := range []struct {
		flag, name, kind string
		ask              func(context.Context, ...string) kadm.FindCoordinatorResponses
		want             string
	}{
		{"--transactional-id", id, "transaction", admin.FindTxnCoordinators, id},
		{"--share", key, "share", admin.FindShareCoordinators, key},
		{"--share", group + ":" + topic + ":1", "share", admin.FindShareCoordinators, key},
	} {
		eventually(t, test.flag+" "+test.name+" has the coordinator that the brokers name", func() (bool, string) {
			named := test.ask(t.Context(), test.want)[test.want]
			if named.Err != nil {
				return false, named.Err.Error() // its partition is loaded
			}
			var rows []inspect.Coordinator
			if _, err := ctl.ask(t, 0, &rows, "group", "coordinator", "--create-internal-topic", test.flag, test.name); err != nil {
				return false, err.Error()
			}
			return len(rows) == 1 && rows[0].Name == test.want && rows[0].Kind == test.kind && rows[0].Coordinator != nil && *rows[0].Coordinator == named.NodeID &&
				rows[0].Agrees != nil && *rows[0].Agrees, fmt.Sprintf("%+v, named %+v", rows, named)
		})
	}
	if out, err := ctl.try(t, "group", "coordinator", "--share", key); err != nil || !strings.HasPrefix(out, "SHARE-KEY") || !strings.Contains(out, key) {
		t.Errorf("%v: %s", err, out)
	}
}
